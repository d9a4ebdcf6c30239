"""What maps held at one moment, and how they come to hold it again: a module for each way of keeping it."""
