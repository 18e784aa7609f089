// How Winograd's convolutions are cut into blocks of tiles and channels, by shape alone, and how what they
// keep between their steps is laid out. For winograd.cpp.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/allocator.h"
#include "core/ceil_div.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"

namespace fastcnn::winograd {

// Of the transformed tiles that a task keeps in the second-level cache, beside what streams past.
inline constexpr std::int64_t cache_bytes = 640 << 10;
// Of the transformed tiles that are shared by all threads.
inline constexpr std::int64_t shared_bytes = 16 << 20;
inline constexpr std::int64_t enough_tasks = 16;

// So many elements or a few more: an odd number of cache lines, so that matrices and rows that far apart
// don't fall on the same lines of a cache.
template <class T>
std::int64_t odd_lines(std::int64_t elements) {
  constexpr std::int64_t line = alignment / sizeof(T);
  return (ceil_div(elements, line) | 1) * line;
}

// From one row of so many elements to the next. Short rows reach every line of a cache as they are.
template <class T>
std::int64_t row_stride(std::int64_t elements) {
  constexpr std::int64_t short_row = 4 * alignment / sizeof(T);
  return elements <= short_row ? round_up(elements, alignment / sizeof(T)) : odd_lines<T>(elements);
}

// F(m, r).
struct Filtering {
  std::int64_t m, r;
  std::int64_t alpha() const { return m + r - 1; }
  std::int64_t positions() const { return alpha() * alpha(); }
};

inline WinogradTiles tiles_of(std::int64_t h, std::int64_t w, std::int64_t rows, std::int64_t cols,
                              std::int64_t pad_h = 0, std::int64_t pad_w = 0) {
  return {.h = h, .w = w, .rows = rows, .cols = cols, .pad_h = pad_h, .pad_w = pad_w, .first = 0};
}

inline WinogradTiles from(WinogradTiles tiles, std::int64_t first) {
  tiles.first = first;
  return tiles;
}

// What forward and the gradient to x have in common: y = x * w with outputs in tiles, channels of one group.
template <class T>
struct Correlation {
  Filtering f;
  std::int64_t groups, inputs, outputs;
  WinogradTiles in, out;
  std::int64_t tiles;

  Correlation(Filtering filtering, const Conv2dProblem& p, Conv2dPass pass) : f(filtering), groups(p.groups) {
    const bool forward = pass == Conv2dPass::forward;
    inputs = forward ? p.group_in() : p.group_out();
    outputs = forward ? p.group_out() : p.group_in();
    const std::int64_t h_out = forward ? p.h_out : p.h_in;
    const std::int64_t w_out = forward ? p.w_out : p.w_in;
    const std::int64_t rows = ceil_div(h_out, f.m);
    const std::int64_t cols = ceil_div(w_out, f.m);
    in = tiles_of(forward ? p.h_in : p.h_out, forward ? p.w_in : p.w_out, rows, cols,
                  forward ? p.pad_h : f.r - 1 - p.pad_h, forward ? p.pad_w : f.r - 1 - p.pad_w);
    out = tiles_of(h_out, w_out, rows, cols);
    tiles = p.n * rows * cols;
  }
  std::int64_t x_stride() const { return groups * inputs; }
  std::int64_t y_stride() const { return groups * outputs; }
};

// Transformed filters: panels of output channels for the product, each with all positions.
template <class T>
struct Filters {
  std::int64_t cols;  // of a panel
  std::int64_t panels;
  std::int64_t position_stride, panel_stride, group_stride;

  explicit Filters(const Correlation<T>& c)
      : cols(kernels<T>().gemm.cols),
        panels(ceil_div(c.outputs, cols)),
        position_stride(odd_lines<T>(c.inputs * cols)),
        panel_stride(c.f.positions() * position_stride),
        group_stride(panels * panel_stride) {}
};

// How forward and the gradient to x are cut. With few input channels a task takes a block of tiles through
// all steps within its second-level cache. Otherwise, and where that would be too few tasks, each step is done
// for a larger block by all threads, so that the filters, which are larger than the tiles then, are read
// less often.
template <class T>
struct Cut {
  bool by_tasks;
  std::int64_t tiles;  // of a block
  std::int64_t rows;   // of a panel of tiles
  std::int64_t cols;   // output channels of one product
  std::int64_t v_position, v_panel, m_position, m_row;

  Cut(const Correlation<T>& c, const Filters<T>& filters) {
    const GemmKernels<T>& gemm = kernels<T>().gemm;
    const std::int64_t inputs = round_up(c.inputs, gemm.lanes);
    const std::int64_t v_bytes = c.f.positions() * inputs * static_cast<std::int64_t>(sizeof(T));  // of a tile
    const std::int64_t most = cache_bytes / v_bytes;
    std::int64_t wanted = std::min(most, ceil_div(c.tiles * c.groups, enough_tasks));
    const bool filters_fit = filters.group_stride * static_cast<std::int64_t>(sizeof(T)) <= cache_bytes;
    // Where each task has the filters in its cache, few tasks with a panel each, an even number of them, are better than
    // steps, after each of which tiles pass between threads.
    if (filters_fit) {
      const std::int64_t panel = ceil_div(c.tiles, round_up(ceil_div(c.tiles, gemm.rows), 2));
      wanted = std::clamp(panel, wanted, most);
    }
    by_tasks = filters_fit || wanted >= 2 * gemm.rows;
    std::int64_t limit = wanted;
    cols = 2 * gemm.cols;
    if (!by_tasks) {
      const std::int64_t m_bytes = v_bytes / inputs * round_up(c.outputs, gemm.lanes);
      limit = std::max(shared_bytes / (v_bytes + m_bytes), 2 * gemm.rows);
      cols = 8 * gemm.cols;
    }
    rows = even_step(std::min(c.tiles, limit), gemm.rows, 1);
    tiles = even_step(c.tiles, limit, rows);
    v_panel = rows * inputs;
    v_position = odd_lines<T>(ceil_div(tiles, rows) * v_panel);
    m_row = round_up(by_tasks ? std::min(cols, c.outputs) : c.outputs, gemm.lanes);
    m_position = odd_lines<T>(tiles * m_row);
  }
  std::int64_t v_elements(const Filtering& f) const { return f.positions() * v_position; }
  std::int64_t elements(const Filtering& f) const { return f.positions() * (v_position + m_position); }
};

// How the gradient to x is cut that is the transpose of forward: from forward's tiles of dy come windows of dx,
// which are summed where they overlap, so a task owns whole images. Where images aren't padded, there are fewer
// of these tiles than tiles of dx.
template <class T>
struct OverlapCut {
  WinogradTiles dy, dx;
  std::int64_t image_tiles;
  std::int64_t images;  // of a task
  std::int64_t rows;    // of a panel of tiles
  std::int64_t v_position, v_panel, m_position, m_row;
  std::int64_t sums;  // elements of one image's windows
  bool worthwhile;

  OverlapCut(const Correlation<T>& c, const Conv2dProblem& p) {
    const GemmKernels<T>& gemm = kernels<T>().gemm;
    const std::int64_t tile_rows = ceil_div(p.h_out, c.f.m);
    const std::int64_t tile_cols = ceil_div(p.w_out, c.f.m);
    dy = tiles_of(p.h_out, p.w_out, tile_rows, tile_cols);
    dx = tiles_of(p.h_in, p.w_in, tile_rows, tile_cols, p.pad_h, p.pad_w);
    image_tiles = tile_rows * tile_cols;
    const std::int64_t inputs = round_up(c.inputs, gemm.lanes);
    m_row = round_up(c.outputs, gemm.lanes);
    const std::int64_t image_bytes =
        c.f.positions() * (inputs + m_row) * image_tiles * static_cast<std::int64_t>(sizeof(T));
    worthwhile = image_bytes <= cache_bytes && 4 * p.n * image_tiles <= 3 * c.tiles;
    images = std::max<std::int64_t>(1, std::min(cache_bytes / image_bytes, ceil_div(p.n * p.groups, enough_tasks)));
    rows = even_step(images * image_tiles, gemm.rows, 1);
    v_panel = rows * inputs;
    v_position = odd_lines<T>(ceil_div(images * image_tiles, rows) * v_panel);
    m_position = odd_lines<T>(images * image_tiles * m_row);
    sums = (tile_rows * c.f.m + c.f.r - 1) * (tile_cols * c.f.m + c.f.r - 1) * m_row;
  }
  std::int64_t v_elements(const Filtering& f) const { return f.positions() * v_position; }
  std::int64_t elements(const Filtering& f) const { return f.positions() * (v_position + m_position) + sums; }
};

// How the gradient to w is cut. Where the transformed gradient of all filters fits the second-level cache, a
// task sums over its part of the tiles, and the parts' gradients are added in order. Otherwise all threads
// share blocks of tiles, and the positions of the sums are their tasks.
template <class T>
struct WeightCut {
  WinogradTiles in, out;
  std::int64_t all_tiles;
  bool by_parts;
  std::int64_t tiles;       // of a block
  std::int64_t parts;       // of all tiles
  std::int64_t part_tiles;  // a multiple of tiles
  std::int64_t outputs;     // output channels at a time
  std::int64_t v_row, v_position, m_row, m_position, du_row, du_position;

  WeightCut(const Filtering& f, const Conv2dProblem& p) {
    constexpr std::int64_t size = sizeof(T);
    constexpr std::int64_t max_depth = 192;  // tiles in one product: its panels stay in the first-level cache
    const std::int64_t rows = ceil_div(p.h_out, f.m);
    const std::int64_t cols = ceil_div(p.w_out, f.m);
    in = tiles_of(p.h_in, p.w_in, rows, cols, p.pad_h, p.pad_w);
    out = tiles_of(p.h_out, p.w_out, rows, cols);
    all_tiles = p.n * rows * cols;

    const std::int64_t lanes = kernels<T>().gemm.lanes;
    du_row = round_up(p.group_in(), lanes);
    v_row = row_stride<T>(p.group_in());
    const std::int64_t row_bytes = f.positions() * du_row * size;  // of the sums of one output channel
    constexpr std::int64_t min_part = 32;
    by_parts = p.group_out() * row_bytes <= cache_bytes && all_tiles * p.groups >= enough_tasks / 2 * min_part;
    outputs = by_parts ? p.group_out() : std::min(p.group_out(), round_up(shared_bytes / row_bytes, 4 * lanes));
    m_row = row_stride<T>(outputs);
    const std::int64_t tile_bytes = f.positions() * (v_row + m_row) * size;
    parts = 1;
    part_tiles = all_tiles;
    if (by_parts) {
      const std::int64_t room = cache_bytes * 3 / 2 - outputs * row_bytes;
      parts = std::clamp<std::int64_t>(all_tiles / min_part, 1, ceil_div(2 * enough_tasks, p.groups));
      tiles = std::min(std::clamp<std::int64_t>(room / tile_bytes, 16, max_depth), ceil_div(all_tiles, parts));
      part_tiles = round_up(ceil_div(all_tiles, parts), tiles);
      parts = ceil_div(all_tiles, part_tiles);
    } else {
      tiles = even_step(all_tiles, std::clamp<std::int64_t>(shared_bytes / tile_bytes, 16, max_depth), 1);
    }
    v_position = odd_lines<T>(tiles * v_row);
    m_position = odd_lines<T>(tiles * m_row);
    du_position = odd_lines<T>(outputs * du_row);
  }
  std::int64_t elements(const Filtering& f) const { return f.positions() * (v_position + m_position + du_position); }
};

}  // namespace fastcnn::winograd
