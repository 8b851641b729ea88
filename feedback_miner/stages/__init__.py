"""Stages of a mining run: values and arrays in, values and arrays out.

None does I/O, none knows what comes before or after it: pipeline.py is the only file that knows the order.
"""
