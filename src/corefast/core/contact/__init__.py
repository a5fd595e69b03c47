"""Whom the business may write to."""
