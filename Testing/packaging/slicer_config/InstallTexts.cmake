# Slicer packs its own readme and licence where an extension names none.
install(FILES ${EXTENSION_README_FILE} ${EXTENSION_LICENSE_FILE} DESTINATION share)
