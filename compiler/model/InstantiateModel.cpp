//===- InstantiateModel.cpp - The sizes of an attention -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gives the attention function of a model its sizes.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/AttentionLibrary.h"
#include "compiler/model/CheckAttention.h"
#include "compiler/model/ConfigKeys.h"
#include "compiler/model/Passes.h"
#include "compiler/model/Specialize.h"
#include "dialects/t6/Layout.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_INSTANTIATEMODEL
#include "compiler/model/Passes.h.inc"
} // namespace tpa

using namespace tpa;

/// The model's sizes with C, its width.
static DictionaryAttr allSizes(t6::ModelOp model) {
  NamedAttrList sizes(model.getSizes());
  sizes.set("C", model.getWidthAttr());
  return sizes.getDictionary(model.getContext());
}

static FailureOr<int64_t> sizeOf(StringRef expression, t6::ModelOp model,
                                 Operation *user) {
  std::string unknown;
  FailureOr<int64_t> size =
      t6::evaluateSize(expression, allSizes(model), unknown);
  if (failed(size))
    return user->emitOpError("uses size '")
           << unknown << "', which model @" << model.getSymName()
           << " does not state";
  return size;
}

/// Matrices take the weights' element type, vectors (norm weights) stay f32.
static LogicalResult instantiateParam(t6::ParamOp op, t6::ModelOp model,
                                      Type weightType) {
  std::string error;
  FailureOr<t6::Layout> layout = t6::Layout::parse(op.getLayout(), error);
  assert(succeeded(layout) && "verified");
  SmallVector<int64_t> shape;
  for (StringRef dim : layout->dims) {
    FailureOr<int64_t> size = sizeOf(dim, model, op);
    if (failed(size))
      return failure();
    shape.push_back(*size);
  }
  auto element =
      shape.size() > 1 ? weightType : Float32Type::get(op.getContext());
  op.getResult().setType(RankedTensorType::get(shape, element));
  return success();
}

static LogicalResult instantiateSplit(t6::SplitOp op, t6::ModelOp model) {
  for (auto [part, result] : llvm::zip_equal(
           op.getParts().getAsValueRange<StringAttr>(), op.getResults())) {
    FailureOr<int64_t> size = sizeOf(part, model, op);
    if (failed(size))
      return failure();
    auto type = cast<RankedTensorType>(result.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[op.getAxis()] = *size;
    result.setType(RankedTensorType::get(shape, type.getElementType()));
  }
  return success();
}

static LogicalResult instantiateScale(AttentionOp op, t6::ModelOp model) {
  if (!op.getPerSqrt())
    return success();
  FailureOr<int64_t> size = sizeOf(*op.getPerSqrt(), model, op);
  if (failed(size))
    return failure();
  op.setScale(APFloat(op.getScale().convertToDouble() / std::sqrt(*size)));
  op.removePerSqrtAttr();
  return success();
}

/// The function that was meant by `name`, if one differs by a letter or two.
static StringRef nearestName(ModuleOp module, StringRef name) {
  SmallVector<StringRef> known = attentionLibraryNames();
  for (auto function : module.getOps<func::FuncOp>())
    known.push_back(function.getSymName());
  StringRef nearest;
  unsigned least = 3;
  for (StringRef candidate : known)
    if (unsigned distance = name.edit_distance(candidate);
        distance < std::min<size_t>(least, candidate.size())) {
      least = distance;
      nearest = candidate;
    }
  return nearest;
}

static FailureOr<func::FuncOp> findAttention(ModuleOp module,
                                             t6::ModelOp model) {
  StringRef name = model.getAttention();
  Operation *symbol = module.lookupSymbol(name);
  auto function =
      symbol ? dyn_cast<func::FuncOp>(symbol) : importAttention(module, name);
  if (!function) {
    InFlightDiagnostic error = model.emitOpError("uses @") << name;
    if (symbol)
      return error << ", which is not a function, but a " << symbol->getName();
    error << ", which neither this module nor the library defines; the library "
          << "has " << llvm::join(attentionLibraryNames(), ", ");
    if (StringRef near = nearestName(module, name); !near.empty())
      error << ". HINT: did you mean @" << near << "?";
    return error;
  }
  if (failed(checkAttention(function)))
    return failure();
  function.setPrivate();
  return function;
}

namespace {
struct InstantiateModel : tpa::impl::InstantiateModelBase<InstantiateModel> {
  using Base::Base;

  void runOnOperation() override {
    for (auto model : getOperation().getOps<t6::ModelOp>())
      if (failed(instantiate(model)))
        return signalPassFailure();
  }

  /// What is composed for a cache has factors in place of heads.
  void keepForTraining(func::FuncOp function) {
    ModuleOp module = getOperation();
    std::string name = (function.getName() + ".training").str();
    if (module.lookupSymbol(name))
      return;
    OpBuilder builder(function->getContext());
    builder.setInsertionPointAfter(function);
    auto copy = cast<func::FuncOp>(builder.clone(*function));
    copy.setName(name);
    copy->setAttr("t6.training", builder.getUnitAttr());
  }

  LogicalResult instantiate(t6::ModelOp model) {
    FailureOr<func::FuncOp> function = findAttention(getOperation(), model);
    if (failed(function))
      return failure();
    if (batch <= 0)
      return model.emitOpError("cannot be compiled for batch ")
             << int64_t(batch);
    if (DictionaryAttr keys = configKeys(model, *function))
      model->setAttr(configAttrName, keys);
    Builder builder(&getContext());
    if (dtype != "f32" && dtype != "bf16")
      return model.emitOpError("cannot be compiled for dtype '")
             << dtype << "': it must be f32 or bf16";
    Type weightType = dtype == "bf16" ? Type(builder.getBF16Type())
                                      : Type(builder.getF32Type());
    for (Operation &op : function->front()) {
      LogicalResult done = success();
      if (auto param = dyn_cast<t6::ParamOp>(op)) {
        done = instantiateParam(param, model, weightType);
        ++numParams;
      } else if (auto split = dyn_cast<t6::SplitOp>(op)) {
        done = instantiateSplit(split, model);
      } else if (auto attention = dyn_cast<AttentionOp>(op)) {
        done = instantiateScale(attention, model);
      }
      if (failed(done))
        return failure();
    }
    int64_t width = model.getWidth();
    auto hidden = RankedTensorType::get({batch, ShapedType::kDynamic, width},
                                        builder.getF32Type());
    auto positions = RankedTensorType::get({batch}, builder.getI32Type());
    if (failed(specialize(*function, {hidden, positions})))
      return failure();
    if (function->getFunctionType().getResult(0) != hidden)
      return function->front().getTerminator()->emitOpError("yields ")
             << function->getFunctionType().getResult(0)
             << " for a hidden state of " << hidden;
    if (train)
      keepForTraining(*function);
    return success();
  }
};
} // namespace
