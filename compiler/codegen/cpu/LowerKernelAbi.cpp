//===- LowerKernelAbi.cpp - The signature of kernels ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gives kernels the signature that the runtime calls.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace tpa::cpu {
#define GEN_PASS_DEF_LOWERKERNELABI
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace tpa::cpu

using namespace tpa;

namespace {

/// Builds values that a kernel reads from its bindings.
class AbiBuilder {
public:
  AbiBuilder(func::FuncOp kernel, const LLVMTypeConverter &converter)
      : kernel(kernel), converter(converter), b(kernel.getContext()),
        loc(kernel.getLoc()),
        pointer(LLVM::LLVMPointerType::get(b.getContext())),
        i64(b.getI64Type()) {}

  void lower() {
    Block &body = kernel.front();
    unsigned scalars = body.getNumArguments() - 1;
    BlockArgument bindings = body.addArgument(pointer, loc);
    BlockArgument workgroup = body.addArgument(i64, loc);
    b.setInsertionPointToStart(&body);
    buffers = load(pointer, bindings, pointer, 0);
    Value values = load(pointer, bindings, pointer, 1);
    for (unsigned i = 0; i < scalars; ++i)
      replace(body.getArgument(i), load(i64, values, i64, i));
    replace(body.getArgument(scalars), workgroup);
    for (auto binding :
         llvm::make_early_inc_range(body.getOps<exec::BindingOp>()))
      lower(binding);
    body.eraseArguments(0, scalars + 1);
    kernel.setType(FunctionType::get(b.getContext(), {pointer, i64}, {}));
    kernel.setPublic();
  }

private:
  Value load(Type type, Value base, Type stride, int64_t index) {
    Value address = LLVM::GEPOp::create(b, loc, pointer, stride, base,
                                        ArrayRef<LLVM::GEPArg>{int32_t(index)});
    return LLVM::LoadOp::create(b, loc, type, address);
  }

  void replace(Value index, Value integer) {
    index.replaceAllUsesWith(
        arith::IndexCastOp::create(b, loc, b.getIndexType(), integer));
  }

  /// A row-major descriptor around the bound pointer.
  void lower(exec::BindingOp op) {
    b.setInsertionPoint(op);
    auto type = cast<MemRefType>(op.getResult().getType());
    Value address = load(pointer, buffers, pointer, op.getIndex());
    auto constant = [&](int64_t value) -> Value {
      return LLVM::ConstantOp::create(b, loc, i64, b.getI64IntegerAttr(value));
    };
    auto descriptor =
        MemRefDescriptor::poison(b, loc, converter.convertType(type));
    descriptor.setAllocatedPtr(b, loc, address);
    descriptor.setAlignedPtr(b, loc, address);
    descriptor.setOffset(b, loc, constant(0));
    Value stride = constant(1);
    SmallVector<Value> sizes;
    auto dynamic = op.getSizes().begin();
    for (int64_t size : type.getShape())
      sizes.push_back(
          ShapedType::isDynamic(size)
              ? arith::IndexCastOp::create(b, loc, i64, *dynamic++).getResult()
              : constant(size));
    int64_t known = 1;
    for (int64_t i = type.getRank() - 1; i >= 0; --i) {
      descriptor.setSize(b, loc, i, sizes[i]);
      descriptor.setStride(b, loc, i, stride);
      int64_t size = type.getDimSize(i);
      known = ShapedType::isDynamic(known) || ShapedType::isDynamic(size)
                  ? ShapedType::kDynamic
                  : known * size;
      stride = ShapedType::isDynamic(known)
                   ? LLVM::MulOp::create(b, loc, stride, sizes[i]).getResult()
                   : constant(known);
    }
    Value result =
        UnrealizedConversionCastOp::create(b, loc, type, Value(descriptor))
            .getResult(0);
    op.replaceAllUsesWith(result);
    op.erase();
  }

  func::FuncOp kernel;
  const LLVMTypeConverter &converter;
  OpBuilder b;
  Location loc;
  Type pointer, i64;
  Value buffers;
};

/// Plain copies have no grid of their own.
bool isReference(func::FuncOp kernel) {
  auto module = dyn_cast<ModuleOp>(kernel->getParentOp());
  return module && module.getSymName() == exec::referenceModuleName;
}

struct LowerKernelAbi : cpu::impl::LowerKernelAbiBase<LowerKernelAbi> {
  using Base::Base;

  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    WalkResult walk = getOperation().walk([&](func::FuncOp kernel) {
      if (!kernel->hasAttr(exec::kernelAttrName))
        return WalkResult::advance();
      // The workgroup is the last argument, after the scalars.
      if (kernel.getNumArguments() == 0 ||
          !llvm::all_of(kernel.getArgumentTypes(), llvm::IsaPred<IndexType>) ||
          (!kernel->hasAttr(exec::gridAttrName) && !isReference(kernel))) {
        kernel.emitOpError("is a kernel without a grid: run "
                           "cpu-vectorize-kernels first");
        return WalkResult::interrupt();
      }
      AbiBuilder(kernel, converter).lower();
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
