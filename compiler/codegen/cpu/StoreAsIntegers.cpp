//===- StoreAsIntegers.cpp - Masked stores of bf16 as integers ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keeps LLVM from storing single elements of a vector of bf16.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace tpa::cpu {
#define GEN_PASS_DEF_STOREASINTEGERS
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace tpa::cpu

namespace {
struct StoreAsIntegers : tpa::cpu::impl::StoreAsIntegersBase<StoreAsIntegers> {
  using Base::Base;

  void runOnOperation() override {
    getOperation().walk([](LLVM::MaskedStoreOp op) {
      auto type = dyn_cast<VectorType>(op.getValue().getType());
      if (!type || !type.getElementType().isBF16())
        return;
      OpBuilder builder(op);
      Value bits = LLVM::BitcastOp::create(builder, op.getLoc(),
                                           type.clone(builder.getI16Type()),
                                           op.getValue());
      op.getValueMutable().assign(bits);
    });
  }
};
} // namespace
