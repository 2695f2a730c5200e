"""What pairs say of two instruments, figure by figure, and what a norm of the field accepts."""
