"""Figures from what was read: scores, intervals, impact, trends, measures. Pure: values in, values out."""
