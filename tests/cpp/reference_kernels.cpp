#include "reference_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ops/activation.h"
#include "ops/add.h"
#include "ops/avg_pool2d.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/linear.h"
#include "ops/max_pool2d.h"
#include "ops/softmax_cross_entropy.h"
#include "reference/activation.h"
#include "reference/pool2d.h"
#include "reference/softmax.h"

namespace fastcnn::testing {
namespace {

class Loops : public Kernel {
 public:
  Loops(OpPtr op, Pass pass) : op_(std::move(op)), pass_(pass) {}

 protected:
  template <class O>
  const O& op() const {
    return static_cast<const O&>(*op_);
  }
  bool is_backward() const { return pass_ == Pass::backward; }

  OpPtr op_;
  Pass pass_;
};

View gradient(const StepArgs& args, std::size_t i) { return i < args.dx.size() ? args.dx[i] : View{}; }
ConstView input(const StepArgs& args, std::size_t i) { return i < args.x.size() ? args.x[i] : ConstView{}; }

// f' from what there is: y of the functions whose slope follows from it, else x.
template <class T>
T slope(const Activation& f, const T* x, const T* y, std::int64_t i) {
  using enum Activation::Kind;
  const T a = static_cast<T>(f.a), b = static_cast<T>(f.b);
  if (y == nullptr || !f.gradient_from_output()) return reference::activation_derivative(f, x != nullptr ? x[i] : T{0});
  switch (f.kind) {
    case sigmoid: return y[i] * (1 - y[i]);
    case tanh: return b * (a - y[i] * y[i] / a);
    case elu: return y[i] > 0 ? T{1} : y[i] + a;
    case softplus: return 1 - std::exp(-a * y[i]);
    case sqrt: return 1 / (2 * y[i]);
    case hard_sigmoid: return y[i] > 0 && y[i] < 1 ? T(1) / 6 : T{0};
    default: return reference::activation_derivative(f, y[i]);
  }
}

class ActivationLoops final : public Loops {
 public:
  using Loops::Loops;
  bool in_place() const override { return true; }
  void run(const StepArgs& args, Stream&) const override {
    const Activation& f = op<ActivationOp>().function();
    const Spec& spec = (is_backward() ? args.dy : args.y)[0].spec;
    dispatch_floating(spec.dtype, [&]<class T>() {
      for (std::int64_t i = 0; i < spec.shape.numel(); ++i) {
        if (!is_backward())
          args.y[0].as<T>()[i] = reference::activation(f, args.x[0].as<T>()[i]);
        else if (args.dx[0])
          args.dx[0].as<T>()[i] = args.dy[0].as<T>()[i] * slope(f, args.x[0].as<T>(), args.y[0].as<T>(), i);
      }
    });
  }
};

class AddLoops final : public Loops {
 public:
  using Loops::Loops;
  bool in_place() const override { return true; }
  void run(const StepArgs& args, Stream&) const override {
    const Add& add = op<Add>();
    const Activation& f = add.activation();
    const Spec& spec = (is_backward() ? args.dy : args.y)[0].spec;
    dispatch_floating(spec.dtype, [&]<class T>() {
      for (std::int64_t i = 0; i < spec.shape.numel(); ++i) {
        if (is_backward()) {
          const T dz = args.dy[0].as<T>()[i] * slope<T>(f, nullptr, args.y[0].as<T>(), i);
          for (std::size_t x = args.dx.size(); x-- > 0;)
            if (args.dx[x]) args.dx[x].as<T>()[i] = static_cast<T>(add.coefficient(x)) * dz;
          continue;
        }
        T sum = 0;
        for (std::size_t x = 0; x < args.x.size(); ++x)
          sum += static_cast<T>(add.coefficient(x)) * args.x[x].as<T>()[i];
        args.y[0].as<T>()[i] = reference::activation(f, sum);
      }
    });
  }
};

// Calls f(index in x, index in w, index in y) for every product that is summed into an element of y.
template <class F>
void for_each_product(const Conv2dExtents& e, F f) {
  for (std::int64_t n = 0; n < e.n; ++n)
    for (std::int64_t oh = 0; oh < e.h_out; ++oh)
      for (std::int64_t ow = 0; ow < e.w_out; ++ow)
        for (std::int64_t co = 0; co < e.c_out; ++co)
          for (std::int64_t tap = 0; tap < e.taps(); ++tap) {
            const std::int64_t ih = oh * e.stride_h - e.pad_h + tap / e.k_w * e.dilation_h;
            const std::int64_t iw = ow * e.stride_w - e.pad_w + tap % e.k_w * e.dilation_w;
            if (ih < 0 || ih >= e.h_in || iw < 0 || iw >= e.w_in) continue;
            for (std::int64_t ci = 0; ci < e.group_in(); ++ci)
              f(((n * e.h_in + ih) * e.w_in + iw) * e.c_in + co / e.group_out() * e.group_in() + ci,
                (co * e.taps() + tap) * e.group_in() + ci, ((n * e.h_out + oh) * e.w_out + ow) * e.c_out + co);
          }
}

// A convolution, or a fully connected layer as one of a single pixel, with what was fused into it.
class WeightedLoops final : public Loops {
 public:
  WeightedLoops(OpPtr op, Pass pass, const Conv2dExtents& extents, const Activation& f,
                std::optional<ChannelNorm> norm, std::optional<std::size_t> residual)
      : Loops(std::move(op), pass), e_(extents), f_(f), norm_(norm), residual_(residual) {}

  void run(const StepArgs& args, Stream&) const override {
    dispatch_floating(args.x[1].spec.dtype, [&]<class T>() { is_backward() ? backward<T>(args) : forward<T>(args); });
  }

 private:
  template <class T>
  void forward(const StepArgs& args) const {
    T* const y = args.y[0].as<T>();
    const T *x = args.x[0].as<T>(), *w = args.x[1].as<T>(), *b = input(args, 2).as<T>();
    std::fill_n(y, e_.pixels() * e_.c_out, T{0});
    for_each_product(e_, [&](auto at_x, auto at_w, auto at_y) { y[at_y] += x[at_x] * w[at_w]; });
    for (std::int64_t i = 0; i < e_.pixels() * e_.c_out; ++i) {
      const std::int64_t c = i % e_.c_out;
      T value = y[i] + (b != nullptr ? b[c] : T{0});
      if (norm_) value = normalized(args, c, value);
      if (residual_) value += args.x[*residual_].as<T>()[i];
      y[i] = reference::activation(f_, value);
    }
  }

  template <class T>
  T normalized(const StepArgs& args, std::int64_t c, T value) const {
    const T *gamma = args.x[3].as<T>(), *beta = args.x[4].as<T>();
    const T deviation = std::sqrt(args.x[6].as<T>()[c] + static_cast<T>(norm_->eps));
    value = (value - args.x[5].as<T>()[c]) / deviation;
    return (gamma != nullptr ? gamma[c] : T{1}) * value + (beta != nullptr ? beta[c] : T{0});
  }

  template <class T>
  void backward(const StepArgs& args) const {
    const std::int64_t size = e_.pixels() * e_.c_out;
    const T *x = args.x[0].as<T>(), *w = args.x[1].as<T>();
    std::vector<T> dz(static_cast<std::size_t>(size));
    for (std::int64_t i = 0; i < size; ++i)
      dz[static_cast<std::size_t>(i)] = args.dy[0].as<T>()[i] * slope<T>(f_, nullptr, args.y[0].as<T>(), i);
    T *dx = gradient(args, 0).as<T>(), *dw = gradient(args, 1).as<T>(), *db = gradient(args, 2).as<T>();
    for (const View& view : args.dx)
      if (view) std::fill_n(view.as<T>(), view.spec.shape.numel(), T{0});
    for_each_product(e_, [&](auto at_x, auto at_w, auto at_y) {
      const T d = dz[static_cast<std::size_t>(at_y)];
      if (dx != nullptr) dx[at_x] += d * w[at_w];
      if (dw != nullptr) dw[at_w] += d * x[at_x];
    });
    for (std::int64_t i = 0; i < size && db != nullptr; ++i) db[i % e_.c_out] += dz[static_cast<std::size_t>(i)];
    const View dresidual = residual_ ? gradient(args, *residual_) : View{};
    if (dresidual) std::copy(dz.begin(), dz.end(), dresidual.as<T>());
  }

  Conv2dExtents e_;
  Activation f_;
  std::optional<ChannelNorm> norm_;
  std::optional<std::size_t> residual_;  // which input it is
};

template <class O>
std::unique_ptr<Kernel> weighted(const OpPtr& op, Pass pass, const Conv2dExtents& extents) {
  const O& layer = static_cast<const O&>(*op);
  const auto& options = layer.options();
  const std::optional<std::size_t> residual =
      options.residual ? std::optional<std::size_t>(layer.places() - 1) : std::nullopt;
  return std::make_unique<WeightedLoops>(op, pass, extents, options.activation, options.norm, residual);
}

// Saved are mean and 1 / deviation of each channel.
class BatchNormLoops final : public Loops {
 public:
  using Loops::Loops;
  bool in_place() const override { return true; }
  void run(const StepArgs& args, Stream&) const override {
    const Spec& spec = (is_backward() ? args.dy : args.y)[0].spec;
    const std::int64_t channels = spec.shape[1], rows = channels > 0 ? spec.shape.numel() / channels : 0;
    const bool batch = args.x[3].spec.shape.rank() == 0 || (options().batch_statistics && args.run->training);
    if (!is_backward() && batch && rows == 1)
      throw ShapeError("batch statistics need more than one value per channel; x=" + spec.shape.str());
    dispatch_floating(spec.dtype, [&]<class T>() {
      for (std::int64_t c = 0; c < channels; ++c)
        is_backward() ? backward<T>(args, c, channels, rows, batch) : forward<T>(args, c, channels, rows, batch);
    });
  }

 private:
  const BatchNorm::Options& options() const { return op<BatchNorm>().options(); }

  template <class T>
  T value(const StepArgs& args, std::int64_t i, std::int64_t c, T mean, T inverse) const {
    const T *gamma = args.x[1].as<T>(), *beta = args.x[2].as<T>(), *residual = input(args, 5).as<T>();
    const T z = (args.x[0].as<T>()[i] - mean) * inverse * (gamma != nullptr ? gamma[c] : T{1});
    return z + (beta != nullptr ? beta[c] : T{0}) + (residual != nullptr ? residual[i] : T{0});
  }

  template <class T>
  void forward(const StepArgs& args, std::int64_t c, std::int64_t channels, std::int64_t rows, bool batch) const {
    T* const saved = static_cast<T*>(args.saved);
    const T* const x = args.x[0].as<T>();
    T mean, inverse;
    if (pass_ == Pass::recompute) {
      mean = saved[c];
      inverse = saved[channels + c];
    } else {
      double m = batch ? 0 : static_cast<double>(args.x[3].as<T>()[c]);
      double variance = batch ? 0 : static_cast<double>(args.x[4].as<T>()[c]);
      if (batch) {
        for (std::int64_t r = 0; r < rows; ++r) m += static_cast<double>(x[r * channels + c]) / static_cast<double>(rows);
        for (std::int64_t r = 0; r < rows; ++r)
          variance += std::pow(static_cast<double>(x[r * channels + c]) - m, 2) / static_cast<double>(rows);
        move_running<T>(args, c, m, variance * static_cast<double>(rows) / static_cast<double>(rows - 1));
      }
      mean = static_cast<T>(m);
      inverse = static_cast<T>(1 / std::sqrt(variance + options().eps));
    }
    if (saved != nullptr) {
      saved[c] = mean;
      saved[channels + c] = inverse;
    }
    for (std::int64_t i = c; i < rows * channels; i += channels)
      args.y[0].as<T>()[i] = reference::activation(options().activation, value(args, i, c, mean, inverse));
  }

  template <class T>
  void move_running(const StepArgs& args, std::int64_t c, double mean, double variance) const {
    if (args.state.size() < 5 || !args.state[3] || !options().batch_statistics) return;
    const double m = options().momentum;
    T &running_mean = args.state[3].as<T>()[c], &running_var = args.state[4].as<T>()[c];
    running_mean = static_cast<T>((1 - m) * static_cast<double>(running_mean) + m * mean);
    running_var = static_cast<T>((1 - m) * static_cast<double>(running_var) + m * variance);
  }

  template <class T>
  void backward(const StepArgs& args, std::int64_t c, std::int64_t channels, std::int64_t rows, bool batch) const {
    const T* const saved = static_cast<const T*>(args.saved);
    const T mean = saved[c], inverse = saved[channels + c], n = static_cast<T>(rows);
    const Activation& f = options().activation;
    const T gamma = args.x[1] ? args.x[1].as<T>()[c] : T{1};
    std::vector<T> dz;
    T sum = 0, sum_x = 0;
    for (std::int64_t i = c; i < rows * channels; i += channels) {
      const bool reads_y = op<BatchNorm>().gradient_reads_y();
      const T z = reads_y || f.gradient_is_constant() ? T{0} : value(args, i, c, mean, inverse);
      const T factor = reads_y ? slope<T>(f, nullptr, args.y[0].as<T>(), i) : reference::activation_derivative(f, z);
      dz.push_back(args.dy[0].as<T>()[i] * factor);
      sum += dz.back();
      sum_x += dz.back() * (args.x[0].as<T>()[i] - mean);
    }
    if (const View dgamma = gradient(args, 1)) dgamma.as<T>()[c] = sum_x * inverse;
    if (const View dbeta = gradient(args, 2)) dbeta.as<T>()[c] = sum;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t i = r * channels + c;
      const T d = dz[static_cast<std::size_t>(r)], centred = args.x[0].as<T>()[i] - mean;
      if (const View dresidual = gradient(args, 5)) dresidual.as<T>()[i] = d;
      if (!args.dx[0]) continue;
      args.dx[0].as<T>()[i] =
          gamma * inverse * (batch ? d - sum / n - inverse * inverse * centred * sum_x / n : d);
    }
  }
};

class AvgPoolLoops final : public Loops {
 public:
  using Loops::Loops;
  void run(const StepArgs& args, Stream&) const override {
    const AvgPool2d& pool = op<AvgPool2d>();
    const Pooling p = pool.pooling(args.x[0].spec.shape);
    const std::int64_t n = args.x[0].spec.shape[0];
    dispatch_floating(args.x[0].spec.dtype, [&]<class T>() {
      if (is_backward() && !args.dx[0]) return;
      T* const dx = is_backward() ? args.dx[0].as<T>() : nullptr;
      if (is_backward()) std::fill_n(dx, args.dx[0].spec.shape.numel(), T{0});
      reference::for_each_window(p, n, [&](auto out, auto i, auto oh, auto ow, auto c) {
        const auto count = static_cast<T>(reference::divisor(p.h, oh, p.kind) * reference::divisor(p.w, ow, p.kind));
        T sum = 0;
        const T dz = is_backward() ? args.dy[0].as<T>()[out] * slope<T>(pool.activation(), nullptr, args.y[0].as<T>(), out)
                                   : T{0};
        reference::for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) {
          is_backward() ? dx[at] += dz / count : sum += args.x[0].as<T>()[at];
        });
        if (!is_backward()) args.y[0].as<T>()[out] = reference::activation(pool.activation(), sum / count);
      });
    });
  }
};

// Saved is the number of each winner among the pixels of its window.
class MaxPoolLoops final : public Loops {
 public:
  using Loops::Loops;
  void run(const StepArgs& args, Stream&) const override {
    const MaxPool2d& pool = op<MaxPool2d>();
    const Pooling p = pool.pooling(args.x[0].spec.shape);
    if (is_backward() && !args.dx[0]) return;
    winners_fit_bytes(p) ? run<std::uint8_t>(p, pool.activation(), args) : run<std::int32_t>(p, pool.activation(), args);
  }

 private:
  template <class Index>
  void run(const Pooling& p, const Activation& f, const StepArgs& args) const {
    Index* const winners = static_cast<Index*>(args.saved);
    dispatch_floating(args.x[0].spec.dtype, [&]<class T>() {
      if (is_backward()) std::fill_n(args.dx[0].as<T>(), args.dx[0].spec.shape.numel(), T{0});
      reference::for_each_window(p, args.x[0].spec.shape[0], [&](auto out, auto i, auto oh, auto ow, auto c) {
        std::vector<std::int64_t> pixels;
        reference::for_each_pixel(p, i, oh, ow, c, [&](std::int64_t at) { pixels.push_back(at); });
        if (is_backward()) {
          const T dz = args.dy[0].as<T>()[out] * slope<T>(f, nullptr, args.y[0].as<T>(), out);
          args.dx[0].as<T>()[pixels[static_cast<std::size_t>(winners[out])]] += dz;
          return;
        }
        const T* const x = args.x[0].as<T>();
        const auto rank = [&](std::int64_t at) { return p.kind == PoolKind::max_abs ? std::abs(x[at]) : x[at]; };
        std::size_t best = 0;
        for (std::size_t j = 1; j < pixels.size(); ++j)
          if (rank(pixels[j]) > rank(pixels[best]) || std::isnan(x[pixels[j]])) best = j;
        if (winners != nullptr) winners[out] = static_cast<Index>(best);
        args.y[0].as<T>()[out] = reference::activation(f, x[pixels[best]]);
      });
    });
  }
};

// From the logical order of the one spec to that of the other.
class ReshapeLoops final : public Loops {
 public:
  using Loops::Loops;
  void run(const StepArgs& args, Stream&) const override {
    if (!is_backward()) return move(args.x[0], args.y[0]);
    if (args.dx[0]) move(args.dy[0], args.dx[0]);
  }

 private:
  static std::int64_t place(const Spec& spec, std::int64_t index) {
    if (!spec.is_channels_last()) return index;
    const Shape& s = spec.shape;
    const std::int64_t w = index % s[3], h = index / s[3] % s[2], c = index / (s[3] * s[2]) % s[1];
    return ((index / (s[3] * s[2] * s[1]) * s[2] + h) * s[3] + w) * s[1] + c;
  }
  static void move(ConstView x, View y) {
    dispatch_floating(y.spec.dtype, [&]<class T>() {
      for (std::int64_t i = 0; i < y.spec.shape.numel(); ++i) y.as<T>()[place(y.spec, i)] = x.as<T>()[place(x.spec, i)];
    });
  }
};

// Of labels, without weights or smoothing. Saved are the probabilities.
class CrossEntropyLoops final : public Loops {
 public:
  using Loops::Loops;
  void run(const StepArgs& args, Stream&) const override {
    const SoftmaxCrossEntropy::Options& options = op<SoftmaxCrossEntropy>().options();
    const std::int64_t n = args.x[1].spec.shape[0], classes = args.x[0].spec.shape[1];
    const std::int64_t* const labels = args.x[1].as<std::int64_t>();
    const bool reduced = options.reduction != Reduction::none;
    dispatch_floating(args.x[0].spec.dtype, [&]<class T>() {
      const auto divisor = static_cast<T>(fastcnn::divisor(options.reduction, n, n));
      T* const p = static_cast<T*>(args.saved);
      if (!is_backward() && reduced) *args.y[0].as<T>() = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        if (labels[i] < 0 || labels[i] >= classes)
          throw ValueError("target " + std::to_string(labels[i]) + " at index " + std::to_string(i) + " is out of range");
        if (is_backward()) {
          const T scale = args.dy[0].as<T>()[reduced ? 0 : i] / divisor;
          for (std::int64_t c = 0; c < classes && args.dx[0]; ++c)
            args.dx[0].as<T>()[i * classes + c] = scale * (p[i * classes + c] - (labels[i] == c ? T{1} : T{0}));
          continue;
        }
        const T* const logits = args.x[0].as<T>() + i * classes;
        if (p != nullptr) reference::softmax(logits, p + i * classes, classes, 1);
        const T loss = reference::cross_entropy(logits, classes, labels[i]);
        reduced ? *args.y[0].as<T>() += loss / divisor : args.y[0].as<T>()[i] = loss;
      }
    });
  }
};

using Make = std::function<std::unique_ptr<Kernel>(const OpPtr&, Pass, Specs)>;

template <class L>
Make loops() {
  return [](const OpPtr& op, Pass pass, Specs) { return std::make_unique<L>(op, pass); };
}

std::unique_ptr<Kernel> make_conv2d(const OpPtr& op, Pass pass, Specs x) {
  return weighted<Conv2d>(op, pass, static_cast<const Conv2d&>(*op).extents(x[0].shape, x[1].shape));
}

std::unique_ptr<Kernel> make_linear(const OpPtr& op, Pass pass, Specs x) {
  Conv2dExtents e;
  e.n = x[0].shape[0];
  e.c_in = x[0].shape[1];
  e.c_out = x[1].shape[0];
  e.h_in = e.w_in = e.h_out = e.w_out = 1;
  return weighted<Linear>(op, pass, e);
}

std::unique_ptr<Kernel> make_cross_entropy(const OpPtr& op, Pass pass, Specs x) {
  const bool is_plain = x.size() == 2 && x[1].dtype == DType::int64 &&
                        static_cast<const SoftmaxCrossEntropy&>(*op).options().label_smoothing == 0;
  return is_plain ? std::make_unique<CrossEntropyLoops>(op, pass) : nullptr;
}

}  // namespace

std::unique_ptr<Kernel> make_reference_kernel(const OpPtr& op, Pass pass, Specs x) {
  static const std::map<std::string_view, Make> makers = {{"activation", loops<ActivationLoops>()},
                                                          {"add", loops<AddLoops>()},
                                                          {"avg_pool2d", loops<AvgPoolLoops>()},
                                                          {"batch_norm", loops<BatchNormLoops>()},
                                                          {"conv2d", make_conv2d},
                                                          {"flatten", loops<ReshapeLoops>()},
                                                          {"linear", make_linear},
                                                          {"max_pool2d", loops<MaxPoolLoops>()},
                                                          {"softmax_cross_entropy", make_cross_entropy}};
  if (op->infer(x).size() > 1) return nullptr;
  const auto maker = makers.find(op->kind());
  const bool known = x[0].dtype == DType::float32 || x[0].dtype == DType::float64;
  return maker != makers.end() && known ? maker->second(op, pass, x) : nullptr;
}

}  // namespace fastcnn::testing
