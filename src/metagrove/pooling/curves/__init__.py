"""Survival curves of several studies pooled: summary curves, milestones, one-stage models, imputations."""
