"""Many CTs to a folder of segmentations, on this machine or on a cluster."""
