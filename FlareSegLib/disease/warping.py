"""Moving tissue: a lesion's mass effect and displacements of whole organs; image, labels and lesions move together.

All maps are inverse ones, I'(x) = I(x + u(x)): they say from where a voxel takes its new value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Labels, Mask
from ..errors import FlareSegError
from .block import Block
from .case import UNKNOWN, Box, Vector
from .coarse import box_around, coarse_steps, spread_out, spread_planes, thin_out

NODE_MM = 2.5
BONE_HU, AIR_HU = 200.0, -400.0
#: Smaller spots of bone or gas are clips, vessels or bubbles, which move with their neighbours.
SMALLEST_ML = 1.0
#: Voxels that would move less stay as they are, bit for bit.
STILL_MM = 1e-3
LOWEST_DETERMINANT = 0.1
#: Marks a cell of eight voxels whose labels differ.
MIXED = np.uint8(254)
#: Voxels that are moved at a time; bounds the memory.
SLAB = 2_000_000

#: Slabs of a box: the first slice, which voxels move (k, j, i), where those take their values from (3, n).
Sources = Iterator[tuple[int, np.ndarray, np.ndarray]]


def push(block: Block, centre: Vector, radii_mm: tuple[float, ...], share: float, turn: np.ndarray | None = None,
         reach: float = 3.0) -> None:
    """Mass effect: an ellipsoid's own tissue shrinks, what is around it is pushed away, true to volume.

    In coordinates in which the ellipsoid is the unit ball, a voxel at radius r takes what was at radius q:
    q³ = (1 - share) r³ inside, q³ = r³ - share outside (determinant 1), fading between the middle of the reach and its
    end. Bone and air stay, and so does what lies behind them as seen from the centre: along each ray mobility only
    falls, which keeps the determinant positive.

    Parameters
    ----------
    block : Block
        Reaches `reach` times the longest half-axis around the centre; changed in place, cover and wanted too.
    centre : sequence of float
        LPS, mm.
    radii_mm : tuple of float
        Half-axes along the columns of `turn`.
    share : float
        Of the ellipsoid's volume, how much is displaced tissue: 0 none, below 1.
    turn : numpy.ndarray
        Rotation matrix, LPS; none: the patient's axes.
    reach : float
        Radii (of the ellipsoid) at which nothing moves any more; above 1.
    """
    if not 0 <= share < 1 or reach <= 1:
        raise ValueError("share must lie in [0, 1) and reach above 1")
    if share == 0:
        return
    middle = block.grid.index_of(centre) - [part.start for part in block.box]
    turn = np.eye(3) if turn is None else np.asarray(turn, float)
    to_ball = (turn / np.asarray(radii_mm, float)).T @ block.grid.matrix[:, ::-1]
    every = max(1, round(max(radii_mm) / 15))
    steps = tuple(every * step for step in coarse_steps(block.grid.spacing, NODE_MM))
    nodes = _in_sight(mobility(block, every=every), steps, middle, to_ball, reach)
    mobile = None if nodes.min() == 1 else spread_out(nodes, steps, block.hu.shape)
    share = _kept_unfolded(nodes, steps, middle, to_ball, share, reach, block)
    _pull(block, tuple(slice(0, n) for n in block.hu.shape),
          _push_sources(block, middle, to_ball, share, reach, mobile))


def _push_sources(block: Block, middle: np.ndarray, to_ball: np.ndarray, share: float, reach: float,
                  mobile: Floats | None) -> Sources:
    """Where a push takes the voxels' values from, slab by slab, as `_pull` reads it."""
    spacing = np.array(block.grid.spacing[::-1], np.float32)
    for first, last in _slabs(block.hu.shape):
        offsets = _offsets((last - first, *block.hu.shape[1:]), middle - (first, 0, 0))
        squared = _squared(offsets, to_ball)
        within = squared < reach**2
        # What the offset from the centre is multiplied with, less 1.
        stretch = np.zeros(squared.shape, np.float32)
        stretch[within] = _squeeze(squared[within], share, reach) - 1
        if mobile is not None:
            stretch *= mobile[first:last]
        far = sum((offset * mm) ** 2 for offset, mm in zip(offsets, spacing))
        moving = (stretch * stretch * far > STILL_MM**2) & (block.labels[first:last] != UNKNOWN)
        at = np.flatnonzero(moving)
        source = np.empty((3, at.size), np.float32)
        for taken, offset in zip(source, offsets):
            index = np.arange(offset.size, dtype=np.float32).reshape(offset.shape)
            (index + offset * stretch).take(at, out=taken, mode="clip")
        source[0] += first
        yield first, moving, source


def _offsets(shape: tuple[int, ...], middle: np.ndarray, every: tuple[int, ...] = (1, 1, 1)) -> list[np.ndarray]:
    """Index offsets from the centre along k, j, i, to be broadcast."""
    axes = [np.arange(n, dtype=np.float32) * step - np.float32(m) for n, m, step in zip(shape, middle, every)]
    return [axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]]


def _squared(offsets: Sequence[np.ndarray], to_ball: np.ndarray) -> Floats:
    """Squared radius in units of the ball, float32."""
    form = (to_ball.T @ to_ball).astype(np.float32)
    k, j, i = offsets
    plane = form[1, 1] * j * j + form[2, 2] * i * i + 2 * form[1, 2] * j * i
    return np.maximum(plane + (form[0, 0] * k * k) + 2 * k * (form[0, 1] * j + form[0, 2] * i), 0)


def _squeeze(squared: Floats, share: float, reach: float) -> Floats:
    """Source radius over radius, of squared radii below the reach's square."""
    halfway = (1 + reach) / 2
    radius = np.sqrt(squared)
    t = np.clip((radius - np.float32(halfway)) * np.float32(1 / (reach - halfway)), 0, 1)
    fading = 1 - t * t * (3 - 2 * t)
    return np.cbrt(1 - np.float32(share) * fading / np.maximum(squared * radius, 1))


def _in_sight(nodes: Floats, steps: tuple[int, ...], middle: np.ndarray, to_ball: np.ndarray, reach: float) -> Floats:
    """Mobility as it is seen from the centre: the lowest on the way; within the ellipsoid that of its surface."""
    if nodes.min() == 1:
        return nodes
    offsets = _offsets(nodes.shape, middle, steps)
    radius = np.sqrt(_squared(offsets, to_ball))
    place = np.nonzero(radius < reach)
    radius = radius[place]
    at = np.stack([axis.ravel()[p] for p, axis in zip(place, offsets)])
    outer = at / np.maximum(radius, 1e-3) * np.maximum(radius, 1)
    centre, per_node = np.asarray(middle)[:, None], np.asarray(steps, float)[:, None]
    lowest = np.ones(radius.shape, np.float32)
    farthest = np.maximum(radius, 1)
    longest = float(np.abs(outer / per_node).max(initial=1.0))
    for t in np.linspace(0, 1, 2 + int(longest / 2))[1:]:
        seen = ndimage.map_coordinates(nodes, (centre + t * outer) / per_node, order=1, mode="nearest")
        # Inside the lesion the feather of far-off bone does not count, only bone itself.
        np.minimum(lowest, np.where(t * farthest < 1, seen > 0, seen), out=lowest)
    result = np.zeros_like(nodes)
    result[place] = lowest
    return result


def _kept_unfolded(nodes: Floats, steps: tuple[int, ...], middle: np.ndarray, to_ball: np.ndarray, share: float,
                   reach: float, block: Block) -> float:
    """The share, halved until nothing folds; the smallest determinant goes to the block.

    For x -> c + s(x)(x - c) the determinant is s²(s + (x - c)·grad s).
    """
    offsets = _offsets(nodes.shape, middle, steps)
    squared = _squared(offsets, to_ball)
    within = squared < reach**2
    for _ in range(7):
        s = np.ones(squared.shape, np.float32)
        s[within] += nodes[within] * (_squeeze(squared[within], share, reach) - 1)
        slopes = np.gradient(s, *steps) if min(s.shape) > 1 else [np.zeros_like(s)] * 3
        lowest = float((s * s * (s + sum(o * g for o, g in zip(offsets, slopes)))).min())
        # Between nodes at least the ellipsoid's own shrinking must be reckoned with.
        lowest = min(lowest, 1 - share * float(nodes[squared <= 1].max(initial=0)), 1.0)
        if lowest > 0:
            block.jacobian = min(block.jacobian, lowest)
            return share
        share /= 2
    raise FlareSegError("disease_not_placed", "Bone or air leaves the lesion no room; choose another place.")


def mobility(block: Block, every: int = 1, feather_mm: float = 15.0, air_ml: float = SMALLEST_ML) -> Floats:
    """How freely tissue moves: 0 in bone, air and unknown voxels, rising to 1 at `feather_mm` from them.

    Parameters
    ----------
    every : int
        Nodes to leave out: 1 keeps those `NODE_MM` apart, 2 every second of them.
    air_ml : float
        Smaller bubbles move along: with 1 ml the bowel's gas stays, with 150 ml only lung and what is outside.

    Returns
    -------
    numpy.ndarray
        float32, on the nodes `every` × ``coarse_steps(spacing, NODE_MM)`` voxels apart.
    """
    spacing = tuple(reversed(block.grid.spacing))
    fine = coarse_steps(block.grid.spacing, NODE_MM)
    mean = thin_out(block.hu, fine)
    smooth = ndimage.gaussian_filter(mean, [1.5 / (mm * step) for mm, step in zip(spacing, fine)], mode="nearest")
    node_ml = block.grid.voxel_ml * np.prod(fine)
    bone = smooth > BONE_HU
    if bone.any():
        bone &= thin_out(block.labels == 0, fine) > 0.5
    fixed = large_parts(bone, node_ml, SMALLEST_ML) | large_parts(smooth < AIR_HU, node_ml, air_ml)
    if (block.labels == UNKNOWN).any():
        fixed |= thin_out(block.labels == UNKNOWN, fine) > 0
    steps = tuple(every * step for step in fine)
    if every > 1:
        fixed = thin_out(fixed, (every,) * 3) > 0
        fixed = _fitted(fixed, block.hu.shape, steps)
    if not fixed.any():
        return np.ones(fixed.shape, np.float32)
    node_mm = [mm * step for mm, step in zip(spacing, steps)]
    far = ndimage.distance_transform_edt(~fixed, node_mm).astype(np.float32)
    # Between a fixed node and the next nothing moves either: the border of bone lies there.
    t = np.clip((far - np.float32(max(node_mm))) / np.float32(feather_mm), 0, 1)
    return t * t * (3 - 2 * t)


def _fitted(nodes: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...]) -> np.ndarray:
    """As many nodes as a box of this shape has at these steps."""
    counts = [-(-(n - 1) // step) + 1 for n, step in zip(shape, steps)]
    missing = [(0, max(0, count - n)) for count, n in zip(counts, nodes.shape)]
    return np.pad(nodes, missing, mode="edge")[tuple(slice(0, count) for count in counts)]


def large_parts(mask: Mask, node_ml: float, smallest_ml: float) -> Mask:
    """The connected parts of a mask that are no smaller; `node_ml` is the volume of one node, or voxel."""
    parts, count = ndimage.label(mask)
    if not count:
        return mask
    large = np.bincount(parts.ravel()) * node_ml >= smallest_ml
    large[0] = False
    return large[parts]


def determinant(displacement: Floats, node_mm: Vector) -> Floats:
    """Determinant of x -> x + u(x) at each node, by finite differences; u (3, k, j, i) and node distances in mm."""
    rows = [np.gradient(part, *node_mm) if min(part.shape) > 1 else [np.zeros_like(part)] * 3 for part in displacement]
    (a, b, c), (d, e, f), (g, h, i) = [[slope + (r == s) for s, slope in enumerate(row)] for r, row in enumerate(rows)]
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def warp(block: Block, displacement: Floats, steps: tuple[int, ...], halvings: int = 6) -> None:
    """Move a block's tissue: I'(x) = I(x + u(x)).

    Parameters
    ----------
    block : Block
        Changed in place, cover and wanted too. Beyond its border the nearest voxel counts.
    displacement : numpy.ndarray
        float32 (3, nodes along k, j, i): millimetres along the array's own k, j and i axes.
    steps : tuple of int
        Voxels between nodes.
    halvings : int
        So often a displacement that folds is halved.

    Raises
    ------
    FlareSegError
        "disease_not_placed" where it folds even then (determinant 0.1 or less).
    """
    spacing = np.array(block.grid.spacing[::-1], np.float32)
    node_mm = spacing * steps
    for _ in range(halvings + 1):
        lowest = float(determinant(displacement, node_mm).min())
        if lowest > LOWEST_DETERMINANT:
            break
        displacement = displacement * np.float32(0.5)
    else:
        raise FlareSegError("disease_not_placed", "The tissue would fold; ask for a smaller change.")
    block.jacobian = min(block.jacobian, lowest)

    parts = box_around((displacement * displacement).sum(axis=0) > STILL_MM**2, steps, block.hu.shape)
    if parts is not None:
        nodes, box = parts
        _pull(block, box, _warp_sources(block.labels[box], displacement[(slice(None), *nodes)], steps, spacing))


def _warp_sources(labels: Labels, displacement: Floats, steps: tuple[int, ...], spacing: Floats) -> Sources:
    """Where a warp takes a box's values from, slice by slice, as `_pull` reads it."""
    shape = labels.shape
    j, i = (axis.ravel() for axis in np.indices(shape[1:], np.float32))
    for k, u in enumerate(spread_planes(displacement, steps, shape)):
        moving = (np.einsum("ajk,ajk->jk", u, u) > STILL_MM**2) & (labels[k] != UNKNOWN)
        at = np.flatnonzero(moving)
        source = u.reshape(3, -1).take(at, axis=1)
        source /= spacing[:, None]
        source[0] += np.float32(k)
        source[1] += j.take(at)
        source[2] += i.take(at)
        yield k, moving[None], source


def _slabs(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    thickness = max(1, SLAB // (shape[1] * shape[2]))
    for first in range(0, shape[0], thickness):
        yield first, min(first + thickness, shape[0])


def _pull(block: Block, box: Box, sources: Sources) -> None:
    """Give the voxels of a box of the block new values from where `sources` says.

    `sources` yields a slab's first slice, which of its voxels move (bool: k, j, i), and where those take their values
    from: indices in the box, float32 (3, n).
    """
    images = [block.hu[box]] + ([block.cover[box], block.wanted[box]] if (block.cover > 0).any() else [])
    stored, labels = np.stack(images), block.labels[box].copy()
    cells = np.where(_mixed_cells(labels), MIXED, labels)
    for first, moving, source in sources:
        slab = slice(first, first + len(moving))
        for image, values in zip(images, sample(stored, source)):
            image[slab][moving] = values
        block.labels[box][slab][moving] = _labels_at(source, labels, cells, labels[slab][moving])


def sample(images: Floats, at: Floats) -> Floats:
    """Trilinear samples of images (n, k, j, i) at indices (3, ...), float32 (n, ...); beyond the border the nearest."""
    import torch

    # grid_sample works on the items of a batch side by side, so points are dealt out to a few of them.
    batch = torch.get_num_threads()
    count = at[0].size
    grid = np.zeros((-(-count // batch) * batch, 3), np.float32)
    for axis, (index, n) in enumerate(zip(at, images.shape[1:])):
        np.multiply(index.reshape(-1), np.float32(2 / max(n - 1, 1)), out=grid[:count, 2 - axis])
    grid -= 1
    found = torch.nn.functional.grid_sample(
        torch.from_numpy(images)[None].expand(batch, *images.shape), torch.from_numpy(grid).view(batch, 1, 1, -1, 3),
        mode="bilinear", padding_mode="border", align_corners=True)
    return found.transpose(0, 1).reshape(len(images), -1)[:, :count].numpy().reshape(len(images), *at.shape[1:])


def _labels_at(source: Floats, labels: Labels, cells: Labels, stored: Labels) -> Labels:
    """Labels at indices (3, n): the cell's where its corners agree, else voted; never unknown, but the stored one."""
    last = np.array(labels.shape)[:, None] - 1
    cell = np.clip(source.astype(np.int32), 0, last, dtype=np.int32)
    new = cells.reshape(-1).take((cell[0] * labels.shape[1] + cell[1]) * labels.shape[2] + cell[2])
    border = np.flatnonzero(new == MIXED)
    if border.size:
        exact = np.clip(source[:, border], 0, last, dtype=np.float32)
        new[border] = _voted(labels, exact, cell[:, border], stored[border])
    return np.where(new == UNKNOWN, stored, new)


def _mixed_cells(labels: Labels) -> Mask:
    """Whether the eight voxels from (k, j, i) on differ."""
    low = high = labels
    for axis in range(3):
        low, high = _with_next(np.minimum, low, axis), _with_next(np.maximum, high, axis)
    return low != high


def _with_next(choose: np.ufunc, values: np.ndarray, axis: int) -> np.ndarray:
    """The lower (or higher) one of each value and the next along an axis."""
    result = values.copy()
    before, after = (tuple(part if a == axis else slice(None) for a in range(3))
                     for part in (slice(-1), slice(1, None)))
    choose(values[before], values[after], out=result[before])
    return result


def _voted(labels: Labels, source: Floats, cell: np.ndarray, stored: Labels) -> Labels:
    """The label with most of the trilinear weight at each source; between equals the stored one, where it is one."""
    part = source - np.asarray(cell, np.float32)
    corners, weights = [], []
    for corner in np.ndindex(2, 2, 2):
        at = tuple(np.minimum(c + step, n - 1) for c, step, n in zip(cell, corner, labels.shape))
        corners.append(labels[at])
        weights.append(np.prod([p if step else 1 - p for p, step in zip(part, corner)], axis=0))
    best, winner = np.full(stored.shape, -1.0, np.float32), np.full(stored.shape, UNKNOWN, np.uint8)
    present = [value for value in np.unique(corners) if value != UNKNOWN]
    for value in present:
        weight = sum(np.where(c == value, w, 0) for c, w in zip(corners, weights)) + 1e-5 * (stored == value)
        better = weight > np.maximum(best, 1e-4)
        best[better], winner[better] = weight[better], value
    return winner
