//===- T6Dialect.cpp - Registration of the t6 dialect ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/t6/T6Dialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/t6/T6Dialect.cpp.inc"
#include "dialects/t6/T6Enums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/t6/T6Attrs.cpp.inc"

void tpa::t6::T6Dialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/t6/T6Ops.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/t6/T6Attrs.cpp.inc"
      >();
}

LogicalResult
tpa::t6::InitAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                          InitKind, FloatAttr std) {
  // init_attr_c1
  if (!(std.getValueAsDouble() > 0.0) || !std.getValue().isFinite())
    return emitError() << "std must be positive and finite";
  return success();
}
