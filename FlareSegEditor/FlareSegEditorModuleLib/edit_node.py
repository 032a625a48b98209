"""The text node that is an edit: its operations as JSON, its nodes as references; saved with the scene."""

from __future__ import annotations

import json

import slicer
from slicer.i18n import tr as _

from FlareSegLib.errors import FlareSegError

#: Marks a text node as an edit; its value is the segments' organs as JSON.
ATTRIBUTE = "FlareSegEditor.Organs"
CT, SEGMENTATION, CT_CLONE, SEGMENTATION_CLONE = ("FlareSegEditor.CT", "FlareSegEditor.Segmentation",
                                                  "FlareSegEditor.EditedCT", "FlareSegEditor.EditedSegmentation")
#: Nodes that an edit makes for showing itself and makes anew when it is opened.
HELPER = "FlareSegEditor.Helper"


def new_edit_node(ct_node, segmentation_node, organs: dict[str, str]):
    """Return a new edit of a CT; organs by segment ID."""
    name = slicer.mrmlScene.GenerateUniqueName(_("{volume} edit").format(volume=ct_node.GetName()))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", name)
    node.SetAttribute(ATTRIBUTE, json.dumps(organs))
    node.SetForceCreateStorageNode(node.CreateStorageNodeNever)  # the text lies in the scene file itself
    node.SetNodeReferenceID(CT, ct_node.GetID())
    node.SetNodeReferenceID(SEGMENTATION, segmentation_node.GetID())
    write_edit(node)
    return node


def edit_nodes() -> list:
    """The edits of the scene."""
    return [node for node in slicer.util.getNodesByClass("vtkMRMLTextNode") if node.GetAttribute(ATTRIBUTE) is not None]


def organs_of(node) -> dict[str, str]:
    """Segment IDs and their organs."""
    try:
        organs = json.loads(node.GetAttribute(ATTRIBUTE))
    except ValueError:
        organs = None
    return {str(key): str(value) for key, value in organs.items()} if isinstance(organs, dict) else {}


def write_edit(node, edit=None) -> None:
    """Keep an edit (`FlareSegLib.disease.edits.Edit`) in its node; an empty one by default."""
    from FlareSegLib.disease.edits import Edit, edit_text

    node.SetText(edit_text(edit or Edit()))


def read_edit(node, find):
    """Return the `Edit` that a node holds.

    Raises
    ------
    FlareSegError
        "bad_recipe" for a text that is none.
    """
    from FlareSegLib.disease.document import LARGEST_BYTES
    from FlareSegLib.disease.edits import edit_from

    text = node.GetText() or ""
    if len(text) > LARGEST_BYTES:
        raise FlareSegError("bad_recipe", _("The edit in this scene is too long to be one."))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FlareSegError("bad_recipe", _("The edit in this scene cannot be read.")) from error
    return edit_from(document, find)


def as_helper(node, hidden: bool = False):
    """Mark a node as one that is not saved; return it."""
    node.SetAttribute(HELPER, "1")
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(hidden)
    return node
