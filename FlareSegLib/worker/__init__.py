"""The segmentation job as a child process that a program with a window can follow, stop and survive."""
