"""Links move bytes: TCP, UDP, serial. They know no protocol."""
