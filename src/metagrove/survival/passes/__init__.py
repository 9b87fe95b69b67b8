"""Compiled passes over the hidden path of one arm: its states forward, whole paths backward."""
