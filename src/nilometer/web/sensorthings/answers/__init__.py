"""Answers: columns of rows as text in the formats that clients ask for, whole or in pieces."""
