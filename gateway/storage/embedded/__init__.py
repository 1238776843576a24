"""Stores on SQLite files of one data folder, for one machine."""
