"""Drawings made by the server: strips, week grids, window bars."""
