"""Sparkplug B: the payload on the wire, the memory of births, the host application."""
