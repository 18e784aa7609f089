#include "ops/batch_norm.h"

#include <cmath>
#include <sstream>

#include "core/error.h"
#include "ops/activation.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

constexpr std::string_view names[] = {"gamma", "beta", "running_mean", "running_var"};  // inputs 1 to 4

}  // namespace

BatchNorm::BatchNorm(const Options& options) : options_(options) {
  const auto refuse = [](const char* name, double value, const char* expected) {
    std::ostringstream text;
    text << name << " is " << value << ", expected " << expected;
    throw ValueError(text.str());
  };
  if (!(options.eps >= 0) || !std::isfinite(options.eps)) refuse("eps", options.eps, "at least 0");
  if (!(options.momentum >= 0 && options.momentum <= 1)) refuse("momentum", options.momentum, "0 to 1");
  if (!options.activation.is_inlined()) {
    throw ValueError("batch_norm can't end in " + fastcnn::describe(options.activation) + "; add it as a layer");
  }
}

OpPtr BatchNorm::make(AttributeReader& attributes) {
  Options options;
  options.eps = attributes.real("eps", options.eps);
  options.momentum = attributes.real("momentum", options.momentum);
  options.batch_statistics = attributes.flag("batch_statistics", true);
  options.residual = attributes.flag("residual", false);
  options.activation = read_activation(attributes, "activation", "identity");
  return std::make_shared<BatchNorm>(options);
}

Attributes BatchNorm::attributes() const {
  Attributes attributes{{"eps", options_.eps},
                        {"momentum", options_.momentum},
                        {"batch_statistics", options_.batch_statistics},
                        {"residual", options_.residual}};
  write_activation(attributes, "activation", options_.activation);
  return attributes;
}

std::string BatchNorm::describe(Specs x) const {
  std::string text = "BatchNorm";
  if (!x.empty() && x[0].shape.rank() >= 2) text.append(" ").append(std::to_string(x[0].shape[1]));
  if (!options_.batch_statistics) text += ", running statistics";
  if (options_.residual) text += ", add";
  if (options_.activation.kind != Activation::Kind::identity)
    text += ", " + fastcnn::describe(options_.activation);
  return text;
}

std::vector<Spec> BatchNorm::infer(Specs x) const {
  const std::size_t inputs = options_.residual ? 6 : 5;
  check_inputs(x, inputs, inputs, "x, gamma, beta, running_mean, running_var and, where it is added, a residual");
  check_floating(x[0]);
  const int rank = x[0].shape.rank();
  if (rank != 2 && rank != 4) {
    throw ShapeError("input has rank " + std::to_string(rank) + ", expected 2 (n, c) or 4 (n, c, h, w); got " +
                         x[0].shape.str(),
                     0);
  }
  const std::int64_t channels = x[0].shape[1];
  for (std::size_t i = 1; i < 5; ++i) {
    if (!is_present(x, i)) continue;
    check_same_dtype(x[i], names[i - 1], x[0], "input");
    if (x[i].shape.rank() != 1) check_rank(x[i], 1, "(c)", names[i - 1]);
    if (x[i].shape[0] != channels) {
      throw ShapeError("input has " + std::to_string(channels) + (channels == 1 ? " channel" : " channels") +
                       ", expected " + std::to_string(x[i].shape[0]) + ", as " + std::string(names[i - 1]),
                       0);
    }
  }
  if (is_present(x, 1) != is_present(x, 2)) throw ValueError("gamma and beta come together or not at all");
  if (is_present(x, 3) != is_present(x, 4))
    throw ValueError("running_mean and running_var come together or not at all");
  if (options_.residual) {
    check_same_dtype(x[5], "residual", x[0], "input");
    check_same_shape(x[5], "residual", x[0], "input");
  }
  return {x[0]};
}

bool BatchNorm::updates(int input) const {
  return options_.batch_statistics && (input == 3 || input == 4);
}

bool BatchNorm::differentiable(int input) const { return input != 3 && input != 4; }

bool BatchNorm::gradient_reads_y() const {
  const Activation& f = options_.activation;
  const bool is_cheap = f.kind == Activation::Kind::relu || f.kind == Activation::Kind::relu6;
  return !f.gradient_is_constant() && (options_.residual || !is_cheap);
}

Needs BatchNorm::backward_needs(Specs x) const {
  const auto channels = static_cast<std::size_t>(x[0].shape[1]);
  return {.x = 1, .y = gradient_reads_y(), .saved_bytes = 4 * channels * size_of(x[0].dtype)};
}

std::optional<Epilogue> BatchNorm::as_epilogue(Specs x) const {
  if (options_.residual || options_.activation.kind != Activation::Kind::identity || !is_present(x, 3)) return {};
  return ChannelNorm{options_.eps};
}

OpPtr BatchNorm::fused_with(const Epilogue& epilogue, Specs) const {
  if (options_.activation.kind != Activation::Kind::identity) return nullptr;
  Options options = options_;
  if (const auto* f = std::get_if<Activation>(&epilogue)) {
    if (!f->is_inlined()) return nullptr;
    options.activation = *f;
  } else {
    if (!std::holds_alternative<ResidualAdd>(epilogue) || options_.residual) return nullptr;
    options.residual = true;
  }
  return std::make_shared<BatchNorm>(options);
}

}  // namespace fastcnn
