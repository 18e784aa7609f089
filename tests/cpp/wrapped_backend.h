// A backend that passes every call on to another: a base of those that change a part of it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "graph/backend.h"

namespace fastcnn::testing {

class WrappedBackend : public Backend {
 public:
  explicit WrappedBackend(BackendPtr other) : other_(std::move(other)) {}

  std::string_view name() const override { return other_->name(); }
  std::unique_ptr<Kernel> make(const OpPtr& op, Pass pass, Specs x) const override { return other_->make(op, pass, x); }
  std::unique_ptr<Stream> make_stream() const override { return other_->make_stream(); }
  Buffer allocate(std::size_t bytes) const override { return other_->allocate(bytes); }
  ArenaPool& arenas() const override { return other_->arenas(); }
  void copy(void* to, const void* from, std::size_t bytes, Stream& stream) const override {
    other_->copy(to, from, bytes, stream);
  }
  void fill(View y, double value, Stream& stream) const override { other_->fill(y, value, stream); }
  void accumulate(ConstView x, View y, Stream& stream) const override { other_->accumulate(x, y, stream); }
  bool is_finite(ConstView x, Stream& stream) const override { return other_->is_finite(x, stream); }
  void update(std::span<const ParameterStep> steps, Stream& stream) const override { other_->update(steps, stream); }
  void update_piece(const ParameterStep& step, const GradientPiece& piece) const override {
    other_->update_piece(step, piece);
  }
  void finish_pieces(const ParameterStep& step) const override { other_->finish_pieces(step); }
  int workers() const override { return other_->workers(); }
  void run(int workers, const std::function<void()>& body) const override { other_->run(workers, body); }

 private:
  BackendPtr other_;
};

}  // namespace fastcnn::testing
