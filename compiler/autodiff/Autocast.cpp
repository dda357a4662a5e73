//===- Autocast.cpp - Products of rounded factors -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rounds what products multiply, in entries that ask for it.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_AUTOCAST
#include "compiler/autodiff/Passes.h.inc"
} // namespace tpa

using namespace tpa;

static constexpr StringRef autocastName = "tpa.autocast";

/// Whether each of two operands has a label that stays and that no other has,
/// and something is summed: rows times columns. What weighs or adds up is not.
static bool isMatrixProduct(const Equation &equation) {
  auto stays = [&](char label) {
    return StringRef(equation.output).contains(label);
  };
  auto isOwn = [&](char label) {
    return stays(label) && llvm::count_if(equation.terms, [&](StringRef term) {
                             return term.contains(label);
                           }) == 1;
  };
  int64_t sides = llvm::count_if(equation.terms, [&](StringRef term) {
    return llvm::any_of(term, isOwn);
  });
  return sides >= 2 && !llvm::all_of(equation.labels(), stays);
}

/// Whether the einsum multiplies matrices, or rows of a matrix with those of
/// another that an embedding chose: some of the elements of such a product.
static bool isProduct(EinsumOp op) {
  return isMatrixProduct(Equation::parseVerified(op.getEquation())) ||
         llvm::any_of(op.getOperands(), [](Value operand) {
           return bool(operand.getDefiningOp<t6::EmbeddingOp>());
         });
}

/// The products inside an attention stay: a pass over blocks of keys in f32 is
/// as fast on a CPU, forward and back.
static bool pairsTokens(const Equation &equation) {
  constexpr char keyLabel = AttentionOp::streamLabel, queryLabel = 'n';
  std::string labels = equation.labels();
  return StringRef(labels).contains(keyLabel) &&
         StringRef(labels).contains(queryLabel);
}

namespace {

struct Autocast : tpa::impl::AutocastBase<Autocast> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    roundings.clear();
    llvm::SetVector<Operation *> asking, exact;
    for (auto entry : module.getOps<exec::EntryOp>()) {
      Attribute how = entry->getAttr(autocastName);
      if (how && how != TypeAttr::get(Builder(module).getBF16Type())) {
        entry.emitOpError("cannot be cast to ") << how << ": to bf16 alone";
        return signalPassFailure();
      }
      addReached(entry, how ? asking : exact);
    }
    for (Operation *op : asking) {
      if (exact.contains(op)) {
        op->emitOpError("is called by entries with and without ")
            << autocastName << ": each needs its own";
        return signalPassFailure();
      }
      op->walk([&](EinsumOp einsum) { roundFactors(einsum); });
      op->removeAttr(autocastName);
    }
  }

  /// Adds an entry, or a function, and all that it calls.
  void addReached(Operation *op, llvm::SetVector<Operation *> &reached) {
    if (!reached.insert(op))
      return;
    op->walk([&](func::CallOp call) {
      if (Operation *callee = getOperation().lookupSymbol(call.getCallee()))
        addReached(callee, reached);
    });
  }

  void roundFactors(EinsumOp op) {
    if (!isProduct(op) ||
        pairsTokens(Equation::parseVerified(op.getEquation())))
      return;
    for (OpOperand &operand : op->getOpOperands())
      if (getElementTypeOrSelf(operand.get().getType()).isF32())
        operand.set(rounded(operand.get()));
  }

  /// One rounding for all uses, behind the value.
  Value rounded(Value value) {
    Value &known = roundings[value];
    if (known)
      return known;
    OpBuilder builder(value.getContext());
    builder.setInsertionPointAfterValue(value);
    auto type = cast<RankedTensorType>(value.getType());
    known = arith::TruncFOp::create(builder, value.getLoc(),
                                    type.clone(builder.getBF16Type()), value);
    ++numRounded;
    return known;
  }

  llvm::DenseMap<Value, Value> roundings;
};

} // namespace
