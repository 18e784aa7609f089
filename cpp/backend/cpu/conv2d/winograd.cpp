// Winograd's minimal filtering: tiles of the image and filters are transformed (backend/cpu/generic/winograd_points.h),
// a product of matrices over channels is taken at each position of a transformed tile, and its result is
// transformed back. The gradient to x is the same with the filters rotated by 180 degrees or, where that takes more tiles, the
// transpose of forward; the gradient to w multiplies transformed tiles of x and dy, summed over all tiles.
#include <algorithm>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/conv2d/winograd_cut.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

using namespace winograd;

constexpr std::int64_t channel_block = 128;  // of a task that transforms

// Calls body(begin, end, first channel, channels) over blocks of tiles and channels, each a task.
template <class F>
void for_blocks(std::int64_t tiles, std::int64_t tile_block, std::int64_t channels, std::int64_t bytes_per_value,
                F body) {
  const std::int64_t channel_blocks = ceil_div(channels, channel_block);
  const std::int64_t tasks = ceil_div(tiles, tile_block) * channel_blocks;
  parallel_for(tasks, bytes_per_value * tiles * channels / tasks, [&](std::int64_t task, int) {
    const std::int64_t begin = task / channel_blocks * tile_block;
    const std::int64_t channel = task % channel_blocks * channel_block;
    body(begin, std::min(begin + tile_block, tiles), channel, std::min(channel_block, channels - channel));
  });
}

template <class T>
class Winograd final : public Conv2dAlgorithm<T> {
 public:
  Winograd(std::string_view name, Filtering f, WinogradKernels<T> Kernels<T>::* table)
      : name_(name), f_(f), table_(table) {}

  std::string_view name() const override { return name_; }

  std::string_view refusal(const Conv2dProblem& p, Conv2dPass) const override {
    if (p.k_h != f_.r || p.k_w != f_.r) return f_.r == 3 ? "kernel is not 3x3" : "kernel is not 5x5";
    if (p.stride_h != 1 || p.stride_w != 1) return "stride is not 1";
    if (p.dilation_h != 1 || p.dilation_w != 1) return "dilation is not 1";
    return {};
  }

  ScratchSize scratch(const Conv2dProblem& p, Conv2dPass pass) const override {
    const auto bytes = [](std::int64_t elements) { return static_cast<std::size_t>(elements) * sizeof(T); };
    if (pass == Conv2dPass::backward_weights) {
      const WeightCut<T> cut(f_, p);
      if (!cut.by_parts) return {.shared = bytes(cut.elements(f_))};
      return {.shared = cut.parts > 1 ? bytes(cut.parts * p.weights()) : 0, .per_thread = bytes(cut.elements(f_))};
    }
    const Correlation<T> c(f_, p, pass);
    if (sums_windows(c, p, pass)) return {.per_thread = bytes(OverlapCut<T>(c, p).elements(f_))};
    const Cut<T> cut(c, Filters<T>(c));
    const std::size_t needed = bytes(cut.elements(f_));
    return {.shared = cut.by_tasks ? 0 : needed, .per_thread = cut.by_tasks ? needed : 0};
  }

  std::int64_t prepared_elements(const Conv2dProblem& p, Conv2dPass pass) const override {
    if (pass == Conv2dPass::backward_weights) return 0;
    const Correlation<T> c(f_, p, pass);
    return p.groups * Filters<T>(c).group_stride;
  }

  void prepare(const Conv2dProblem& p, Conv2dPass pass, const T* w, T* u) const override {
    constexpr std::int64_t block = 64;  // input channels of the correlation in a task
    const Correlation<T> c(f_, p, pass);
    const Filters<T> filters(c);
    const auto backward = sums_windows(c, p, pass) ? table().weights_transposed : table().weights_rotated;
    const std::int64_t blocks = ceil_div(c.inputs, block);
    const std::int64_t bytes = f_.positions() * filters.cols * std::min(block, c.inputs) * sizeof(T);
    parallel_for(p.groups * filters.panels * blocks, 2 * bytes, [&](std::int64_t task, int) {
      const std::int64_t first = task % blocks * block;
      const std::int64_t count = std::min(block, c.inputs - first);
      const std::int64_t panel = task / blocks % filters.panels;
      const std::int64_t channel = panel * filters.cols;
      const std::int64_t channels = std::min(filters.cols, c.outputs - channel);
      const std::int64_t group = task / blocks / filters.panels;
      const T* group_w = w + group * p.group_out() * p.depth();
      T* to = u + group * filters.group_stride + panel * filters.panel_stride + first * filters.cols;
      if (pass == Conv2dPass::forward) {
        table().weights(group_w + channel * p.depth() + first, p.group_in(), count, channels, filters.position_stride,
                        to);
      } else {
        backward(group_w + first * p.depth() + channel, p.group_in(), channels, count, filters.position_stride, to);
      }
    });
  }

  void forward(const Conv2dProblem& p, const T* x, const T* u, const GemmEpilogue<T>& epilogue, T* y,
               const Scratch& scratch, const BatchStatistics<T>*) const override {
    correlate(Correlation<T>(f_, p, Conv2dPass::forward), x, u, epilogue, y, scratch);
  }

  void backward_data(const Conv2dProblem& p, const T* dy, const T* u, T* dx, const Scratch& scratch) const override {
    const Correlation<T> c(f_, p, Conv2dPass::backward_data);
    if (sums_windows(c, p, Conv2dPass::backward_data)) {
      sum_windows(p, c, dy, u, dx, scratch);
    } else {
      correlate(c, dy, u, {}, dx, scratch);
    }
  }

  void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw, const Scratch& scratch) const override {
    const WeightCut<T> cut(f_, p);
    if (cut.by_parts) {
      sum_by_parts(p, cut, x, dy, dw, scratch);
      return;
    }
    for (std::int64_t group = 0; group < p.groups; ++group) {
      for (std::int64_t out = 0; out < p.group_out(); out += cut.outputs) {
        const std::int64_t channel = group * p.group_out() + out;
        sum_by_positions(p, cut, std::min(cut.outputs, p.group_out() - out), x + group * p.group_in(), dy + channel,
                         dw + channel * p.depth(), scratch.template shared<T>());
      }
    }
  }

 private:
  const WinogradKernels<T>& table() const { return kernels<T>().*table_; }

  static bool sums_windows(const Correlation<T>& c, const Conv2dProblem& p, Conv2dPass pass) {
    return pass == Conv2dPass::backward_data && OverlapCut<T>(c, p).worthwhile;
  }

  void correlate(const Correlation<T>& c, const T* x, const T* u, const GemmEpilogue<T>& epilogue, T* y,
                 const Scratch& scratch) const {
    const Filters<T> filters(c);
    const Cut<T> cut(c, filters);
    const std::int64_t blocks = ceil_div(c.tiles, cut.tiles);
    if (cut.by_tasks) {
      const std::int64_t ops = 2 * cut.tiles * f_.positions() * c.inputs * c.outputs;
      parallel_for(blocks * c.groups, ops, [&](std::int64_t task, int worker) {
        const std::int64_t group = task % c.groups;
        correlate_block(c, filters, cut, task / c.groups * cut.tiles, x + group * c.inputs, u + group * filters.group_stride,
                        epilogue.at(group * c.outputs, group * c.outputs), y + group * c.outputs,
                        scratch.template of_worker<T>(worker));
      });
      return;
    }
    for (std::int64_t group = 0; group < c.groups; ++group) {
      for (std::int64_t block = 0; block < blocks; ++block) {
        correlate_by_steps(c, filters, cut, block * cut.tiles, x + group * c.inputs, u + group * filters.group_stride,
                           epilogue.at(group * c.outputs, group * c.outputs), y + group * c.outputs,
                           scratch.template shared<T>());
      }
    }
  }

  // A block of tiles of one group, on this thread.
  void correlate_block(const Correlation<T>& c, const Filters<T>& filters, const Cut<T>& cut, std::int64_t first,
                       const T* x, const T* u, const GemmEpilogue<T>& epilogue, T* y, T* v) const {
    const std::int64_t count = std::min(cut.tiles, c.tiles - first);
    T* m = v + cut.v_elements(f_);
    table().input(from(c.in, first), x, c.x_stride(), c.inputs, 0, count, {v, cut.v_position, cut.v_panel, cut.rows});
    for (std::int64_t out = 0; out < c.outputs; out += cut.cols) {
      const std::int64_t channels = std::min(cut.cols, c.outputs - out);
      for (std::int64_t position = 0; position < f_.positions(); ++position) {
        multiply(c, filters, cut, position, 0, count, out, channels, v, u, m + position * cut.m_position);
      }
      const GemmEpilogue<T> e = epilogue.at(out, out);
      table().output(from(c.out, first), {m, cut.m_position, cut.m_row, 1}, channels, 0, count, e.bias, e.residual,
                     e.activation, y + out, c.y_stride());
    }
  }

  // The same by all threads, step after step.
  void correlate_by_steps(const Correlation<T>& c, const Filters<T>& filters, const Cut<T>& cut, std::int64_t first,
                          const T* x, const T* u, const GemmEpilogue<T>& epilogue, T* y, T* v) const {
    const std::int64_t count = std::min(cut.tiles, c.tiles - first);
    const std::int64_t bytes = 4 * f_.positions() * sizeof(T);
    T* m = v + cut.v_elements(f_);
    for_blocks(count, cut.rows, c.inputs, bytes,
               [&](std::int64_t begin, std::int64_t end, std::int64_t channel, std::int64_t channels) {
                 table().input(from(c.in, first), x + channel, c.x_stride(), channels, begin, end,
                               {v + channel * cut.rows, cut.v_position, cut.v_panel, cut.rows});
               });
    const std::int64_t block = 8 * cut.rows;
    const std::int64_t row_blocks = ceil_div(count, block);
    const std::int64_t col_blocks = ceil_div(c.outputs, cut.cols);
    const std::int64_t ops = 2 * std::min(block, count) * std::min(cut.cols, c.outputs) * c.inputs;
    parallel_for(f_.positions() * row_blocks * col_blocks, ops, [&](std::int64_t task, int) {
      const std::int64_t row = task % row_blocks * block;
      const std::int64_t out = task / row_blocks % col_blocks * cut.cols;
      const std::int64_t position = task / row_blocks / col_blocks;
      multiply(c, filters, cut, position, row, std::min(block, count - row), out, std::min(cut.cols, c.outputs - out), v,
               u, m + position * cut.m_position + row * cut.m_row + out);
    });
    for_blocks(count, cut.rows, c.outputs, bytes,
               [&](std::int64_t begin, std::int64_t end, std::int64_t channel, std::int64_t channels) {
                 const GemmEpilogue<T> e = epilogue.at(channel, channel);
                 table().output(from(c.out, first), {m + channel, cut.m_position, cut.m_row, 1}, channels, begin, end,
                                e.bias, e.residual, e.activation, y + channel, c.y_stride());
               });
  }

  // dx by the transpose of forward.
  void sum_windows(const Conv2dProblem& p, const Correlation<T>& c, const T* dy, const T* u, T* dx,
                   const Scratch& scratch) const {
    const Filters<T> filters(c);
    const OverlapCut<T> cut(c, p);
    const std::int64_t ops = 2 * cut.images * cut.image_tiles * f_.positions() * c.inputs * c.outputs;
    parallel_for(ceil_div(p.n, cut.images) * c.groups, ops, [&](std::int64_t task, int worker) {
      const std::int64_t group = task % c.groups;
      const std::int64_t image = task / c.groups * cut.images;
      const std::int64_t images = std::min(cut.images, p.n - image);
      const std::int64_t count = images * cut.image_tiles;
      T* v = scratch.template of_worker<T>(worker);
      T* m = v + cut.v_elements(f_);
      table().output_gradient(from(cut.dy, image * cut.image_tiles), dy + group * c.inputs, c.x_stride(), c.inputs, 0,
                              count, {v, cut.v_position, cut.v_panel, cut.rows});
      for (std::int64_t position = 0; position < f_.positions(); ++position) {
        multiply(c, filters, cut, position, 0, count, 0, c.outputs, v, u + group * filters.group_stride,
                 m + position * cut.m_position);
      }
      table().input_gradient(cut.dx, {m, cut.m_position, cut.m_row, 1}, c.outputs, images,
                             m + f_.positions() * cut.m_position,
                             dx + image * p.h_in * p.w_in * c.y_stride() + group * c.outputs, c.y_stride());
    });
  }

  // Tiles [row, row + rows) times output channels [out, out + channels) at one position.
  template <class AnyCut>
  void multiply(const Correlation<T>& c, const Filters<T>& filters, const AnyCut& cut, std::int64_t position,
                std::int64_t row, std::int64_t rows, std::int64_t out, std::int64_t channels, const T* v, const T* u,
                T* m) const {
    table().multiply({.m = rows,
                      .n = channels,
                      .k = c.inputs,
                      .a = v + position * cut.v_position + row / cut.rows * cut.v_panel,
                      .a_rows = cut.rows,
                      .lda = cut.v_panel,
                      .b = u + out / filters.cols * filters.panel_stride + position * filters.position_stride,
                      .b_panel_stride = filters.panel_stride,
                      .ldb = filters.cols,
                      .c = m,
                      .ldc = cut.m_row,
                      .add = false});
  }

  // du (+)= m^T v at one position: output channels [out, out + outputs), input channels [in, in + inputs).
  void multiply_gradients(const WeightCut<T>& cut, std::int64_t position, std::int64_t count, std::int64_t out,
                          std::int64_t outputs, std::int64_t in, std::int64_t inputs, const T* v, const T* m, bool add,
                          T* du) const {
    const GemmKernels<T>& gemm = kernels<T>().gemm;
    table().multiply_transposed({.m = outputs,
                                 .n = inputs,
                                 .k = count,
                                 .a = m + position * cut.m_position + out,
                                 .a_rows = even_step(outputs, gemm.rows, 1),
                                 .lda = cut.m_row,
                                 .b = v + position * cut.v_position + in,
                                 .b_panel_stride = gemm.cols,
                                 .ldb = cut.v_row,
                                 .c = du + position * cut.du_position + out * cut.du_row + in,
                                 .ldc = cut.du_row,
                                 .add = add});
  }

  void sum_by_parts(const Conv2dProblem& p, const WeightCut<T>& cut, const T* x, const T* dy, T* dw,
                    const Scratch& scratch) const {
    T* partial = scratch.template shared<T>();
    const std::int64_t ops = 2 * cut.part_tiles * f_.positions() * p.group_in() * p.group_out();
    parallel_for(cut.parts * p.groups, ops, [&](std::int64_t task, int worker) {
      const std::int64_t group = task % p.groups;
      const std::int64_t part = task / p.groups;
      const std::int64_t channel = group * p.group_out();
      T* v = scratch.template of_worker<T>(worker);
      T* m = v + f_.positions() * cut.v_position;
      T* du = m + f_.positions() * cut.m_position;
      const std::int64_t begin = part * cut.part_tiles;
      const std::int64_t end = std::min(begin + cut.part_tiles, cut.all_tiles);
      for (std::int64_t first = begin; first < end; first += cut.tiles) {
        const std::int64_t count = std::min(cut.tiles, end - first);
        table().input(from(cut.in, first), x + group * p.group_in(), p.c_in, p.group_in(), 0, count,
                      {v, cut.v_position, cut.v_row, 1});
        table().output_gradient(from(cut.out, first), dy + channel, p.c_out, p.group_out(), 0, count,
                                {m, cut.m_position, cut.m_row, 1});
        for (std::int64_t position = 0; position < f_.positions(); ++position) {
          multiply_gradients(cut, position, count, 0, p.group_out(), 0, p.group_in(), v, m, first > begin, du);
        }
      }
      T* target = (cut.parts > 1 ? partial + part * p.weights() : dw) + channel * p.depth();
      table().weight_gradient({du, cut.du_position, cut.du_row, 1}, p.group_in(), p.group_out(), target, p.group_in());
    });
    if (cut.parts == 1) return;
    parallel_ranges(p.weights(), cut.parts * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      std::copy(partial + begin, partial + end, dw + begin);
      for (std::int64_t part = 1; part < cut.parts; ++part) {
        kernels<T>().add(dw + begin, partial + part * p.weights() + begin, dw + begin, end - begin);
      }
    });
  }

  // All tiles for some output channels of one group.
  void sum_by_positions(const Conv2dProblem& p, const WeightCut<T>& cut, std::int64_t outputs, const T* x, const T* dy,
                        T* dw, T* v) const {
    constexpr std::int64_t tile_block = 16;
    constexpr std::int64_t block = 256;  // channels in a product
    T* m = v + f_.positions() * cut.v_position;
    T* du = m + f_.positions() * cut.m_position;
    const std::int64_t bytes = 4 * f_.positions() * sizeof(T);
    const std::int64_t row_blocks = ceil_div(outputs, block);
    const std::int64_t col_blocks = ceil_div(p.group_in(), block);
    for (std::int64_t first = 0; first < cut.all_tiles; first += cut.tiles) {
      const std::int64_t count = std::min(cut.tiles, cut.all_tiles - first);
      for_blocks(count, tile_block, p.group_in(), bytes,
                 [&](std::int64_t begin, std::int64_t end, std::int64_t channel, std::int64_t channels) {
                   table().input(from(cut.in, first), x + channel, p.c_in, channels, begin, end,
                                 {v + channel, cut.v_position, cut.v_row, 1});
                 });
      for_blocks(count, tile_block, outputs, bytes,
                 [&](std::int64_t begin, std::int64_t end, std::int64_t channel, std::int64_t channels) {
                   table().output_gradient(from(cut.out, first), dy + channel, p.c_out, channels, begin, end,
                                           {m + channel, cut.m_position, cut.m_row, 1});
                 });
      const std::int64_t ops = 2 * count * std::min(outputs, block) * std::min(p.group_in(), block);
      parallel_for(f_.positions() * row_blocks * col_blocks, ops, [&](std::int64_t task, int) {
        const std::int64_t out = task % row_blocks * block;
        const std::int64_t in = task / row_blocks % col_blocks * block;
        multiply_gradients(cut, task / row_blocks / col_blocks, count, out, std::min(block, outputs - out), in,
                           std::min(block, p.group_in() - in), v, m, first > 0, du);
      });
    }
    parallel_ranges(outputs, f_.positions() * p.group_in() * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      table().weight_gradient({du + begin * cut.du_row, cut.du_position, cut.du_row, 1}, p.group_in(), end - begin,
                              dw + begin * p.depth(), p.group_in());
    });
  }

  std::string_view name_;
  Filtering f_;
  WinogradKernels<T> Kernels<T>::* table_;
};

}  // namespace

template <class T>
const Conv2dAlgorithm<T>& conv2d_winograd_4x3() {
  static const Winograd<T> algorithm("winograd_4x3", {4, 3}, &Kernels<T>::winograd_4x3);
  return algorithm;
}
template <class T>
const Conv2dAlgorithm<T>& conv2d_winograd_2x3() {
  static const Winograd<T> algorithm("winograd_2x3", {2, 3}, &Kernels<T>::winograd_2x3);
  return algorithm;
}
template <class T>
const Conv2dAlgorithm<T>& conv2d_winograd_4x5() {
  static const Winograd<T> algorithm("winograd_4x5", {4, 5}, &Kernels<T>::winograd_4x5);
  return algorithm;
}
template <class T>
const Conv2dAlgorithm<T>& conv2d_winograd_2x5() {
  static const Winograd<T> algorithm("winograd_2x5", {2, 5}, &Kernels<T>::winograd_2x5);
  return algorithm;
}

template const Conv2dAlgorithm<float>& conv2d_winograd_4x3();
template const Conv2dAlgorithm<double>& conv2d_winograd_4x3();
template const Conv2dAlgorithm<float>& conv2d_winograd_2x3();
template const Conv2dAlgorithm<double>& conv2d_winograd_2x3();
template const Conv2dAlgorithm<float>& conv2d_winograd_4x5();
template const Conv2dAlgorithm<double>& conv2d_winograd_4x5();
template const Conv2dAlgorithm<float>& conv2d_winograd_2x5();
template const Conv2dAlgorithm<double>& conv2d_winograd_2x5();

}  // namespace fastcnn
