"""One segmentation from input file to finished output files; the command line and the worker run the same job."""
