//===- BuildEntries.cpp - Model to prefill, decode and loss ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Derives prefill, decode, verify and loss from an instantiated model.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"
#include "compiler/model/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSwitch.h"

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
    if (!weights.empty() && weights != "int8")
      return model.emitOpError("cannot be compiled for weights of ")
             << weights << ": int8, or those of the dtype";
    options.quantize = weights == "int8";
    options.verifyTokens = verifyTokens;
    if (options.verifyTokens < 0 ||
        options.verifyTokens > std::min<int64_t>(64, options.maxLength))
      return model.emitOpError("cannot be compiled to verify ")
             << options.verifyTokens
             << " tokens a run: at most 64, and no more "
             << "than a sequence has";
    options.pageTokens = pageTokens;
    if (options.pageTokens != 0 &&
        (options.pageTokens < 16 || !llvm::isPowerOf2_64(options.pageTokens)))
      return model.emitOpError("cannot be compiled for pages of ")
             << options.pageTokens
             << " tokens: a page has a power of two of them, 16 or more";
    auto choice =
        llvm::StringSwitch<std::optional<LinearStateChoice>>(linearState)
            .Case("auto", LinearStateChoice::Auto)
            .Case("on", LinearStateChoice::On)
            .Case("off", LinearStateChoice::Off)
            .Default(std::nullopt);
    if (!choice)
      return model.emitOpError("cannot be compiled with linear-state=")
             << linearState << ": it is auto, on or off";
    options.linearState = *choice;
    options.cacheTokens = cacheTokens;
    options.lossByBlocks = train;
    if (compute != "f32" && compute != "bf16")
      return model.emitOpError("cannot be compiled to compute in ")
             << compute << ": f32 or bf16";
    options.autocast = compute == "bf16";
    if (options.autocast && !train)
      return model.emitOpError("computes in bf16 from parameters in f32 only "
                               "where it is built to train");
    options.vocabularyBlock = vocabularyBlock;
    if (options.vocabularyBlock <= 0)
      return model.emitOpError("cannot be compiled for blocks of ")
             << options.vocabularyBlock << " tokens of the vocabulary";
    EntryBuilder builder(model, options);
    if (failed(builder.prepare()))
      return failure();
    if (train && !builder.parameterType().isF32())
      return model.emitOpError("has parameters in ")
             << builder.parameterType()
             << ", but what trains keeps them in f32: instantiate it with "
                "dtype=f32, and compute=bf16 here";
    for (StringRef name : EntryBuilder::entryNames()) {
      if (!entries.empty() && !llvm::is_contained(entries, name.str()))
        continue;
      bool trains = name == "accumulate_gradients" || name == "apply_adamw";
      if (trains && !train) {
        if (!entries.empty())
          return model.emitOpError("has an entry '")
                 << name << "' only where it is built to train";
        continue;
      }
      if (name == "verify" && options.verifyTokens == 0) {
        if (!entries.empty())
          return model.emitOpError("has an entry 'verify' only for a number of "
                                   "tokens: state it as verify-tokens");
        continue;
      }
      if (name == "apply_adamw")
        builder.buildOptimizer();
      else if (failed(builder.build(name)))
        return failure();
    }
    for (const std::string &name : entries)
      if (!llvm::is_contained(EntryBuilder::entryNames(), name))
        return model.emitOpError("has no entry '")
               << name << "': there are "
               << llvm::join(EntryBuilder::entryNames(), ", ");
    numCaches += builder.finish();
    return success();
  }
};
} // namespace
