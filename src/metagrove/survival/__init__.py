"""Curves to patients and patients to curves."""
