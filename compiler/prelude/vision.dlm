# Functions over images and regions of images. Formulas are torchvision's. What is documented by `##` is in the reference.

# The image of each box: by the first column of boxes f32[K, 5], or the only one there is.
fn images_of(x: f32[N, C, H, W], boxes: f32[K, 5]) {
  return if N == 1 { x } else { take(x, cast(boxes[:, 0], i32)) }
}

# bool[K, cells, extent]: which places of an axis lie in which cell between `start` and `end`, both included.
fn in_cells(start: f32[K], end: f32[K], cells: int, extent: int) {
  first = reshape(start, [K, 1])
  width = reshape(maximum(end - start + 1, 1.0), [K, 1]) / cells
  cell = cast(arange(cells), f32)
  low = reshape(floor(cell * width) + first, [K, cells, 1])
  high = reshape(ceil((cell + 1) * width) + first, [K, cells, 1])
  place = cast(arange(extent), f32)
  return low <= place && place < high
}

## The largest value in each cell of a grid over each box (Girshick 2015): f32[K, C, ...size]. A box is a row
## (image, x1, y1, x2, y2) in pixels that `scale` takes to those of x; cells outside of x are 0. Rows first, then columns:
## the maximum over a rectangle is the maximum of the maxima. Equal winners share the gradient.
fn roi_pool(x: f32[N, C, H, W], boxes: f32[K, 5], size, scale: float = 1.0) {
  rows, columns = pair(size, "size")
  corners = floor(stop_gradient(boxes) * scale + 0.5)
  in_row = in_cells(corners[:, 2], corners[:, 4], rows, H)
  in_column = in_cells(corners[:, 1], corners[:, 3], columns, W)
  tall = max(where(reshape(in_row, [K, 1, rows, H, 1]), unsqueeze(images_of(x, boxes), 2), -inf), axis=3)
  y = max(where(reshape(in_column, [K, 1, 1, columns, W]), unsqueeze(tall, 3), -inf), axis=4)
  filled = unsqueeze(max(in_row, axis=2), 2) && unsqueeze(max(in_column, axis=2), 1)
  return where(unsqueeze(filled, 1), y, 0.0)
}

# f32[K, cells, extent]: how much each place of an axis counts in each cell between `start` and `end`: the mean of
# `samples` evenly spaced points, each shared by its two neighbours.
fn cell_weights(start: f32[K], end: f32[K], cells: int, samples: int, extent: int, aligned: bool) {
  length = if aligned { end - start } else { maximum(end - start, 1.0) }
  step = reshape(length, [K, 1]) / (cells * samples)
  point = reshape(start, [K, 1]) + (cast(arange(cells * samples), f32) + 0.5) * step
  known = cast(point >= -1.0 && point <= float(extent), f32)
  distance = abs(unsqueeze(clamp(point, 0, extent - 1), 2) - cast(arange(extent), f32))
  weights = relu(1 - distance) * unsqueeze(known, 2)
  return mean(reshape(weights, [K, cells, samples, extent]), 2)
}

## The mean of bilinear samples in each cell of a grid over each box (He et al. 2017): f32[K, C, ...size]; boxes as in
## roi_pool. torchvision's sampling_ratio is `samples`, 2 unless told (there: as many as the box is wide). Bilinear
## weights are products of those of rows and columns, so this is two matrix products.
fn roi_align(
  x: f32[N, C, H, W],
  boxes: f32[K, 5],
  size,
  scale: float = 1.0,
  samples: int = 2,
  aligned: bool = false,
) {
  rows, columns = pair(size, "size")
  corners = stop_gradient(boxes) * scale - (if aligned { 0.5 } else { 0.0 })
  down = cell_weights(corners[:, 2], corners[:, 4], rows, samples, H, aligned)
  across = cell_weights(corners[:, 1], corners[:, 3], columns, samples, W, aligned)
  return unsqueeze(down, 1) @ images_of(x, boxes) @ unsqueeze(transpose(across), 1)
}

# Where points between -1 and 1 lie among the pixels of an axis; outside of them as `padding` says.
fn grid_places(point: f32[...shape], extent: int, padding: string, align_corners: bool) {
  place = if align_corners { (point + 1) / 2 * (extent - 1) } else { ((point + 1) * extent - 1) / 2 }
  if padding == "zeros" {
    return place
  }
  if padding == "border" {
    return clamp(place, 0, extent - 1)
  }
  edge = if align_corners { 0.0 } else { -0.5 }
  width = extent - 1 - 2 * edge
  return clamp(edge + width - abs((place - edge) % (2.0 * width) - width), 0, extent - 1)
}

# The pixels of x in whole rows and columns; 0 outside of the image.
fn pixels_at(x: f32[N, C, H, W], row: f32[N, P, Q], column: f32[N, P, Q]) {
  inside = row >= 0.0 && row <= H - 1.0 && column >= 0.0 && column <= W - 1.0
  place = cast(clamp(row, 0, H - 1), i32) * W + cast(clamp(column, 0, W - 1), i32)
  ids = broadcast(reshape(place, [N, 1, P * Q]), [N, C, P * Q])
  y = gather(reshape(x, [N, C, H * W]), 2, ids)
  return where(unsqueeze(inside, 1), reshape(y, [N, C, P, Q]), 0.0)
}

## Samples of x at the points of a grid (Jaderberg et al. 2015): f32[N, C, P, Q]. A point is (x, y), each from -1 to 1 across the
## image: between the middles of its outermost pixels with `align_corners`, else between their edges. `mode` is "bilinear" or
## "nearest"; outside of the image, `padding` is "zeros", "border" or "reflection".
fn grid_sample(
  x: f32[N, C, H, W],
  grid: f32[N, P, Q, 2],
  mode: string = "bilinear",
  padding: string = "zeros",
  align_corners: bool = false,
) {
  assert mode == "bilinear" || mode == "nearest", "grid_sample: there is no mode " + mode
  assert padding == "zeros" || padding == "border" || padding == "reflection",
    "grid_sample: there is no padding " + padding
  row = grid_places(grid[:, :, :, 1], H, padding, align_corners)
  column = grid_places(grid[:, :, :, 0], W, padding, align_corners)
  if mode == "nearest" {
    return pixels_at(x, round(row), round(column))
  }
  top, left = floor(row), floor(column)
  low, right = unsqueeze(row - top, 1), unsqueeze(column - left, 1)
  upper = pixels_at(x, top, left) * (1 - right) + pixels_at(x, top, left + 1) * right
  lower = pixels_at(x, top + 1, left) * (1 - right) + pixels_at(x, top + 1, left + 1) * right
  return upper * (1 - low) + lower * low
}
