"""Patients behind published curves: of one arm, of two with their comparison, or of what is printed alone."""
