//===- BuildEntries.cpp - Model to prefill, decode and loss ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Derives prefill, decode and loss from an instantiated model.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"
#include "compiler/model/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_BUILDENTRIES
#include "compiler/model/Passes.h.inc"
} // namespace tpa

using namespace tpa;

namespace {
struct BuildEntries : tpa::impl::BuildEntriesBase<BuildEntries> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto models = llvm::to_vector(module.getOps<t6::ModelOp>());
    if (models.empty())
      return;
    if (models.size() > 1) {
      models[1].emitOpError(
          "is a second model: a module compiles to one program");
      return signalPassFailure();
    }
    if (failed(build(models.front())))
      return signalPassFailure();
  }

  LogicalResult build(t6::ModelOp model) {
    if (maxLength < 0)
      return model.emitOpError("cannot be compiled for sequences of ")
             << int64_t(maxLength) << " tokens";
    EntryOptions options;
    options.maxLength =
        maxLength > 0 ? int64_t(maxLength) : int64_t(model.getContextLength());
    options.prefillChunk = std::min<int64_t>(prefillChunk, options.maxLength);
    if (options.prefillChunk <= 0)
      return model.emitOpError("cannot be compiled for a prefill chunk of ")
             << int64_t(prefillChunk);
    EntryBuilder builder(model, options);
    if (failed(builder.prepare()))
      return failure();
    for (StringRef name : {"prefill", "decode", "loss"}) {
      if (!entries.empty() && !llvm::is_contained(entries, name.str()))
        continue;
      if (failed(builder.build(name)))
        return failure();
    }
    for (const std::string &name : entries)
      if (name != "prefill" && name != "decode" && name != "loss")
        return model.emitOpError("has no entry '")
               << name << "': there are prefill, decode and loss";
    numCaches += builder.finish();
    return success();
  }
};
} // namespace
