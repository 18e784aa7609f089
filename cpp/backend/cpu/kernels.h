// The table of kernels: plain function pointers with raw arguments. Each family of them is filled in by
// families/<family>.cpp, compiled once per ISA from the templates in generic/. C headers only:
// those files include this.
// A kernel runs on one thread over the part it is given; ops cut the work.
#pragma once

#include <stdint.h>

#include "backend/cpu/implicit.h"
#include "ops/activation_function.h"
#include "ops/lrn.h"
#include "ops/pooling.h"
#include "ops/windows.h"

namespace fastcnn {

// A block of c, m x n: c = alpha op(a) b + beta c, then the epilogue if `finish`.
template <class T>
struct GemmBlock {
  int64_t m, n, k;
  bool trans_a;  // a is stored k x m
  const T* a;
  int64_t lda;
  int64_t panel_rows;  // rows of c that are made together, at most GemmKernels::rows
  T* panel;            // panel_rows x k elements and lanes more: a is packed there, panel by panel; null: read in place
  bool fetch_a;        // the rows of a that are read next come into the first-level cache meanwhile; not if trans_a
  // ldb 0: b was packed by `pack`, GemmKernels::cols per panel, to a multiple of GemmKernels::lanes. Panels are
  // b_depth rows deep, of which those from b_from on are multiplied.
  // Else b is k x n in place, but for the columns past the last whole vector: these are packed at b_tail.
  const T* b;
  int64_t ldb;
  int64_t b_depth, b_from;
  const T* b_tail;
  // b comes from afar and a fits a cache: tiles of a column follow each other, so that each tile of b comes once, and
  // meanwhile the next one, or behind the last what lies at b_next (null for nothing), into the second-level cache.
  bool by_columns;
  const T* b_next;
  T alpha;
  T beta;  // 0: c is written without being read
  T* c;
  int64_t ldc;
  bool finish;
  const T* bias;      // null for none
  const T* residual;  // laid out as c; null for none
  Activation activation;
  // What `pack` will read next, as it takes it, k deep as well: it comes into the second-level cache meanwhile.
  // next_extent 0: nothing.
  bool next_k_contiguous;
  int64_t next_extent;
  const T* next;
  int64_t ld_next;
};

template <class T>
struct GemmKernels {
  int64_t rows, cols;  // the largest register tile
  int64_t lanes;       // of a vector
  // Packs `extent` lines of depth k into panels of `width` lines, [panel][k][width]. Line l at depth p is
  // x[l * ld + p] when k_contiguous, else x[p * ld + l]. The last panel holds the lines that are left,
  // rounded up to `multiple` with any values. Up to `lanes` elements past the end are overwritten.
  void (*pack)(bool k_contiguous, int64_t extent, int64_t k, const T* x, int64_t ld, int64_t width,
               int64_t multiple, T* packed);
  void (*multiply)(const GemmBlock<T>& block);

  // c = alpha a b^T + beta c of unpacked operands. Each row of b goes by once while a, which should
  // fit a cache, is read again and again.
  void (*multiply_few_rows)(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b,
                            int64_t ldb, T beta, T* c, int64_t ldc);
};

// The coefficients of updates; graph/update_rule.h has the formulas.
template <class T>
struct SgdUpdate {
  T lr, momentum, weight_decay;
  bool nesterov, lr_in_velocity;
};
template <class T>
struct AdamUpdate {
  T decay;  // of w, before all else
  T weight_decay, one_minus_beta1, beta2, one_minus_beta2, step_size, root, eps;
};
template <class T>
struct RmspropUpdate {
  T lr, alpha, one_minus_alpha, eps, weight_decay, momentum;
};
template <class T>
struct AdagradUpdate {
  T lr, eps, weight_decay;
};

// A row of a channels-last image and the windows around its pixels.
template <class T>
struct BoxRow {
  const T* x;    // the first of the image's rows that the windows reach
  int64_t rows;  // so many follow each other
  int64_t pixels, channels;
  int64_t before, after;  // how far a window reaches to either side of its pixel
};

// s = k + scale * sum, y = x s^-beta.
struct ResponseNorm {
  double scale, beta, k;
};

// A row in layer normalisation. gamma and beta may be null.
template <class T>
struct LayerNormRow {
  int64_t n;
  const T* x;
  T mean, inverse;  // 1 / sqrt(variance + eps)
  const T *gamma, *beta;
};

// The random words of a tensor: word i % 4 of counter i / 4 of philox(seed, counter, .) is element i's.
struct RandomWords {
  uint64_t seed, counter;
};

// Which words are dropped, and what the others' elements are multiplied by.
struct DropoutMask {
  RandomWords random;
  uint32_t threshold;  // words below it are dropped
  double scale;
};

template <class T>
struct ElementwiseKernels {
  // n elements; in place allowed.
  void (*activation)(Activation f, const T* x, T* y, int64_t n);
  // dx = dy f'(x), from y where Activation::gradient_from_output(), else from x; what is not needed may be null.
  // dx may be dy.
  void (*activation_gradient)(Activation f, const T* x, const T* y, const T* dy, T* dx, int64_t n);
  void (*add)(const T* a, const T* b, T* y, int64_t n);
  // The n elements from number `begin` of a tensor on, a multiple of 4. In place allowed.
  void (*dropout)(const DropoutMask& mask, int64_t begin, const T* x, T* y, int64_t n);
  // y[i * ld + j] = f(y[i * ld + j] + bias[j] + residual[i * ld + j]); bias and residual may be null.
  void (*bias_activation)(T* y, int64_t rows, int64_t cols, int64_t ld, const T* bias, const T* residual,
                          Activation f);
  // sums[j] = sum over i of x[i * ldx + j], rows in order.
  void (*column_sums)(const T* x, int64_t rows, int64_t cols, int64_t ldx, T* sums);
  // Sum of (a - b)^2, or of a^2 where b is null.
  T (*squared_distance)(const T* a, const T* b, int64_t n);
  // Updates n weights and their velocities by the gradient dw; v is null where there is no momentum.
  void (*sgd)(const SgdUpdate<T>& update, const T* dw, T* v, T* w, int64_t n);
  void (*adam)(const AdamUpdate<T>& update, const T* dw, T* mean, T* square, T* largest, T* w, int64_t n);
  void (*rmsprop)(const RmspropUpdate<T>& update, const T* dw, T* square, T* momentum, T* mean, T* w, int64_t n);
  void (*adagrad)(const AdagradUpdate<T>& update, const T* dw, T* sum, T* w, int64_t n);
};

// Rows of channels-last pixels in batch normalisation, contiguous, and by channel the coefficients of
// z = (x - mean) scale + shift + residual.
template <class T>
struct BatchNormBlock {
  int64_t rows, cols;
  const T *mean, *scale, *shift;
  Activation f;
  const T* x;
  const T* residual;  // null for none
  T* y;               // f(z); may be x or residual
  bool stream;        // y is too large for the caches
};

// The same in backward: dz = dy f'.
template <class T>
struct BatchNormGradientBlock {
  int64_t rows, cols;
  const T *mean, *scale, *shift;
  Activation f;
  const T* x;
  const T* y;  // for f'; where it is null, y is made again from x, as there was no residual
  const T* dy;
  T* dz;  // where it is wanted, else null; may be dy
};

template <class T>
struct NormalizationKernels {
  // Over pixels of contiguous channels. In place allowed.
  void (*lrn)(const Lrn& lrn, const T* x, T* y, int64_t pixels, int64_t channels, T* scratch);
  // dx = dy s^-beta - 2 alpha beta / size * x * sum of dy x s^(-beta - 1) over the channels whose windows
  // hold this one. dx may be dy.
  void (*lrn_gradient)(const Lrn& lrn, const T* x, const T* dy, T* dx, int64_t pixels, int64_t channels, T* scratch);

  // For each element the sum of x, or of x^2, over the window of its pixel in its own channel; zeros are outside of the
  // image. padded: room for before + pixels + after pixels.
  void (*box_sums)(const BoxRow<T>& row, bool squares, T* padded, T* sums);
  // n elements; y may be x.
  void (*response_norm)(const ResponseNorm& p, const T* sums, const T* x, T* y, int64_t n);
  // direct = dy s^-beta, what y depends on x by if s were constant, and term = direct x / s; direct may be dy.
  void (*response_norm_gradient)(const ResponseNorm& p, const T* sums, const T* x, const T* dy, T* direct, T* term,
                                 int64_t n);

  // Mean and biased variance of n elements; n >= 1.
  void (*row_statistics)(const T* x, int64_t n, T* mean, T* variance);
  // y = gamma v + beta with v = (x - mean) inverse; y may be x.
  void (*layer_norm)(const LayerNormRow<T>& row, T* y);
  // dx = inverse (g - mean of g - v * mean of g v) with g = gamma dy; adds dy v to dgamma and dy to dbeta. Each of the
  // three may be null, and dx may be dy.
  void (*layer_norm_gradient)(const LayerNormRow<T>& row, const T* dy, T* dx, T* dgamma, T* dbeta);

  // Mean of each column of rows at distance `stride`, and its sum of squared distances from that mean; rows >= 1.
  void (*statistics)(const T* x, int64_t stride, int64_t rows, int64_t cols, T* mean, T* m2);
  void (*batch_norm)(const BatchNormBlock<T>& block);
  // Column sums of dz and of dz (x - mean); writes dz.
  void (*batch_norm_sums)(const BatchNormGradientBlock<T>& block, T* sum_dz, T* sum_dz_x);
  // dx = scale dz + slope (x - mean) + offset, the two by channel; dx may be dy. dz is not written.
  void (*batch_norm_gradient)(const BatchNormGradientBlock<T>& block, const T* slope, const T* offset, T* dx);
};

template <class T>
struct SoftmaxKernels {
  // Over contiguous rows; cols >= 1. In place allowed.
  void (*softmax)(const T* x, T* y, int64_t rows, int64_t cols);
  // dx = y (dy - sum of y dy over the row). dx may be dy.
  void (*softmax_gradient)(const T* y, const T* dy, T* dx, int64_t rows, int64_t cols);
  // -log softmax(x[i])[j] is (largest[i] - x[i][j]) + log_sum[i]; probabilities, the softmax itself, may be null.
  void (*log_softmax_rows)(const T* x, T* probabilities, T* largest, T* log_sum, int64_t rows, int64_t cols);
};

template <class T>
struct Im2colKernels {
  // Rows [pixel_begin, pixel_end) of the matrix whose rows are output pixels of the batch x and whose
  // columns are (tap, channel) for the taps [tap_begin, tap_end) of the k_h * k_w of a window; taps
  // outside of the image are 0. x: pixels at distance pixel_stride, of which `channels` are taken.
  void (*im2col)(const Windows2d& g, int64_t pixel_stride, int64_t channels, const T* x, int64_t pixel_begin,
                 int64_t pixel_end, int64_t tap_begin, int64_t tap_end, T* col);
  // The transpose: adds such rows, with all taps, to dx, but only to the image rows [row_begin, row_end).
  void (*col2im_add)(const Windows2d& g, int64_t pixel_stride, int64_t channels, const T* col,
                     int64_t pixel_begin, int64_t pixel_end, int64_t row_begin, int64_t row_end, T* dx);
};

// One row of outputs of a depthwise convolution, all channels. The taps of output i lie in the `rows` input
// rows from x on, at the columns start + i stride + k dilation for k in [0, taps); those outside of
// [0, width) are 0. Steps are in elements: from one column or row of the input to the next, from the weights of
// one tap or row of taps to the next, from one output to the next. They may be negative; the weights of a tap lie
// side by side, by channel.
template <class T>
struct DepthwiseRow {
  int64_t channels;
  int64_t rows, taps;
  int64_t start, stride, dilation, width;
  const T* x;  // column 0 of the first row
  int64_t x_row_step, x_step;
  const T* w;
  int64_t w_row_step, w_step;
  int64_t outputs;
  int64_t y_step;
  T* y;
  const T* bias;      // null for none
  const T* residual;  // laid out as y; null for none
  Activation f;
};

// The gradient of the weights of the same taps from one row of dy, for the channels [channel_begin,
// channel_end); outputs are neighbours.
template <class T>
struct DepthwiseWeightsRow {
  int64_t channels, channel_begin, channel_end;
  int64_t rows, taps;
  int64_t start, stride, dilation, width;
  const T* x;
  int64_t x_row_step;
  int64_t outputs;
  const T* dy;
  T* dw;  // of the first row of taps; a tap's weights lie side by side
  int64_t dw_row_step;
};

template <class T>
struct DepthwiseKernels {
  void (*depthwise_row)(const DepthwiseRow<T>& row);
  void (*depthwise_weights_row)(const DepthwiseWeightsRow<T>& row);  // adds to dw
};

// Pools that hand on one element of each window. index: for each y the number of its tap, row * max_pixels_of_window
// + column in the part of the window that is in the image, or pool_taps() where none is handed on.
template <class T, class Index>
struct PoolWinnerKernels {
  // index: null when not wanted.
  void (*max_pool2d)(const Pooling& p, const T* x, int64_t pixel_begin, int64_t pixel_end, T* y, Index* index);
  // Each element has the share of the window that it is of the sum of the positive ones; y is the one in whose share
  // the number of y's random word lies, 0 where none is positive.
  void (*stochastic_pool2d)(const Pooling& p, const RandomWords& random, const T* x, int64_t pixel_begin,
                            int64_t pixel_end, T* y, Index* index);
  // From the rows of index, too, from dy_row on; pool_index_slack elements past its end may be read.
  void (*gradient)(const Pooling& p, int64_t dy_row, const T* dy, const Index* index, int64_t row_begin,
                   int64_t row_end, T* dx);
};

// Of channels-last images. Forward: output pixels [pixel_begin, pixel_end) of the batch. Gradients: rows [row_begin,
// row_end) of dx of one image, written in full, from the rows of dy from dy_row on.
template <class T>
struct PoolingKernels {
  PoolWinnerKernels<T, uint8_t> pool_winners_u8;
  PoolWinnerKernels<T, int32_t> pool_winners_i32;
  void (*avg_pool2d)(const Pooling& p, const T* x, int64_t pixel_begin, int64_t pixel_end, T* y);
  void (*avg_pool2d_gradient)(const Pooling& p, int64_t dy_row, const T* dy, int64_t row_begin, int64_t row_end,
                              T* dx);
  // The mean of the positive elements, weighted by themselves; 0 where there are none.
  void (*weighted_pool2d)(const Pooling& p, const T* x, int64_t pixel_begin, int64_t pixel_end, T* y);
  // Over the channels of `pixels` pixels. index: for each y the number of its tap in the part of the window that is
  // there; null when not wanted. Gradients are written in full.
  void (*max_pool_channels)(const PoolAxis& axis, const T* x, int64_t pixels, T* y, uint16_t* index);
  void (*max_pool_channels_gradient)(const PoolAxis& axis, const T* dy, const uint16_t* index, int64_t pixels, T* dx);
  void (*avg_pool_channels)(const PoolAxis& axis, const T* x, int64_t pixels, T* y);
  void (*avg_pool_channels_gradient)(const PoolAxis& axis, const T* dy, int64_t pixels, T* dx);
};

// The images of a batch cut into tiles, row by row, image by image: square windows, m apart, of which the
// first one's corner lies pad above and left of the image.
struct WinogradTiles {
  int64_t h, w;          // of an image
  int64_t rows, cols;    // tiles of an image
  int64_t pad_h, pad_w;  // may be negative
  int64_t first;         // the tile that is number 0 in the calls below
};

// Transformed tiles: a matrix of tiles x channels for each of the alpha x alpha positions of a transformed
// tile, position_stride apart. Vector c of tile t lies at t / rows * panel_stride + (c * rows + t % rows) *
// lanes, lanes and the unit of c being vectors. rows 1: row-major.
template <class T>
struct WinogradMatrix {
  T* data;
  int64_t position_stride;
  int64_t panel_stride;
  int64_t rows;
};

// c (m x n) = a b, or c + a b with `add`. Rows of c have room for whole vectors.
template <class T>
struct WinogradProduct {
  int64_t m, n, k;
  const T* a;
  int64_t a_rows;  // at most GemmKernels::rows
  int64_t lda;
  const T* b;  // panels of GemmKernels::cols columns, [k][ldb], to whole vectors
  int64_t b_panel_stride;
  int64_t ldb;
  T* c;
  int64_t ldc;
  bool add;
};

// F(m, r) in two dimensions, alpha = m + r - 1; see generic/winograd_points.h.
template <class T>
struct WinogradKernels {
  // Tiles [begin, end) of x, pixels at distance pixel_stride of which `channels` are taken. Lanes past the
  // last channel are 0. input: windows of alpha x alpha, B^T d B. output_gradient: of m x m, A dy A^T.
  void (*input)(const WinogradTiles& g, const T* x, int64_t pixel_stride, int64_t channels, int64_t begin,
                int64_t end, const WinogradMatrix<T>& out);
  void (*output_gradient)(const WinogradTiles& g, const T* dy, int64_t pixel_stride, int64_t channels,
                          int64_t begin, int64_t end, const WinogradMatrix<T>& out);
  // y = f(A^T m A + bias + residual), m row-major. residual: laid out as y; it and bias may be null.
  void (*output)(const WinogradTiles& g, const WinogradMatrix<const T>& m, int64_t channels, int64_t begin,
                 int64_t end, const T* bias, const T* residual, Activation f, T* y, int64_t pixel_stride);
  // `images` whole images of dx from the tiles of m, row-major: windows B m B^T, summed where they overlap. sums:
  // room for (rows m + r - 1) x (cols m + r - 1) pixels of whole vectors of channels; g.pad_h, g.pad_w >= 0.
  void (*input_gradient)(const WinogradTiles& g, const WinogradMatrix<const T>& m, int64_t channels, int64_t images,
                         T* sums, T* dx, int64_t pixel_stride);
  // G g G^T of the filters w (outputs, r, r, inputs), c_in apart from tap to tap, as one panel of b for
  // `multiply` at each position. weights: p is the input channel, outputs <= GemmKernels::cols.
  // The others: p is the output channel, inputs <= GemmKernels::cols; weights_rotated: of filters rotated by 180 degrees.
  void (*weights)(const T* w, int64_t c_in, int64_t inputs, int64_t outputs, int64_t position_stride, T* u);
  void (*weights_rotated)(const T* w, int64_t c_in, int64_t inputs, int64_t outputs, int64_t position_stride, T* u);
  void (*weights_transposed)(const T* w, int64_t c_in, int64_t inputs, int64_t outputs, int64_t position_stride, T* u);
  // dw = G^T du G, du row-major (outputs x inputs).
  void (*weight_gradient)(const WinogradMatrix<const T>& du, int64_t inputs, int64_t outputs, T* dw, int64_t c_in);

  // a as `input` writes it, of a_rows and panel_stride lda.
  void (*multiply)(const WinogradProduct<T>& product);
  // c = a^T b, a row-major (k x m).
  void (*multiply_transposed)(const WinogradProduct<T>& product);
};

// All families of one ISA. No default member initialisers: a constructor would be an inline function.
template <class T>
struct Kernels : ElementwiseKernels<T>,
                 NormalizationKernels<T>,
                 SoftmaxKernels<T>,
                 Im2colKernels<T>,
                 DepthwiseKernels<T>,
                 PoolingKernels<T> {
  GemmKernels<T> gemm;
  ImplicitKernels<T> implicit;
  WinogradKernels<T> winograd_4x3, winograd_2x3, winograd_4x5, winograd_2x5;  // winograd_<m>x<r>
  // Nothing but multiply-adds in registers, to be timed; returns how many floating-point operations it did.
  int64_t (*fma_peak)(int64_t iterations);
};

// float: the table of active_isa(). double, which is there for gradient checks: the baseline's.
template <class T>
const Kernels<T>& kernels();
template <>
const Kernels<float>& kernels();
template <>
const Kernels<double>& kernels();

}  // namespace fastcnn
