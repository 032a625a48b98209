"""A stand-in for 3D Slicer, only as much of it as FlareSeg uses; see ../README.md. It is not 3D Slicer.

`standin.startup.start` brings it up in this process, once; it cannot be taken down again.
"""
