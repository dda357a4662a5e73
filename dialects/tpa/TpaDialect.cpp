//===- TpaDialect.cpp - Registration of the tpa dialect -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registration of the tpa dialect and the checks of its attributes.
//
//===----------------------------------------------------------------------===//

#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/tpa/TpaDialect.cpp.inc"
#include "dialects/tpa/TpaEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/tpa/TpaAttrs.cpp.inc"

namespace tpa {

void TpaDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/tpa/TpaOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/tpa/TpaAttrs.cpp.inc"
      >();
}

LogicalResult RopeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               FloatAttr theta, FloatAttr fraction, RopePairs,
                               bool, Type table, FloatAttr decay,
                               FloatAttr decayBase, bool reciprocal) {
  // rope_attr_c1
  if (!(theta.getValueAsDouble() > 1.0) || !theta.getValue().isFinite())
    return emitError() << "theta must be finite and greater than 1";
  // rope_attr_c2
  if (!isa<Float32Type, BFloat16Type>(table))
    return emitError() << "table must be f32 or bf16, but is " << table;
  // rope_attr_c3
  double rotated = fraction.getValueAsDouble();
  if (!(rotated > 0.0 && rotated <= 1.0))
    return emitError() << "fraction must be positive and at most 1";
  // rope_attr_c4
  constexpr double defaultBase = 512.0;
  if (!decay && (reciprocal || decayBase.getValueAsDouble() != defaultBase))
    return emitError() << "reciprocal and decay_base need a decay";
  for (FloatAttr value : {decay, decayBase})
    if (value &&
        (!(value.getValueAsDouble() > 0.0) || !value.getValue().isFinite()))
      return emitError() << "decay and decay_base must be finite and positive";
  return success();
}

} // namespace tpa
