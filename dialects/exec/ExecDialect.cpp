//===- ExecDialect.cpp - Registration of the exec dialect -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/exec/ExecDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>

using namespace mlir;

#include "dialects/exec/ExecDialect.cpp.inc"
#include "dialects/exec/ExecEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/exec/ExecAttrs.cpp.inc"

LogicalResult
tpa::exec::CostAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                            AffineMap read, AffineMap write, AffineMap flops) {
  for (AffineMap map : {read, write, flops}) {
    // cost_attr_c1
    if (map.getNumDims() != 0 || map.getNumResults() != 1)
      return emitError() << "a cost must have symbols only and one result";
    // cost_attr_c2
    if (map.getNumSymbols() != read.getNumSymbols())
      return emitError() << "costs must be of the same scalars";
  }
  return success();
}

LogicalResult
tpa::exec::InitAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                            InitKind kind, FloatAttr value) {
  // init_attr_c1
  if (!value.getType().isF64())
    return emitError() << "an initial value must be an f64, but is "
                       << value.getType();
  double number = value.getValueAsDouble();
  // Written so that NaN fails as well.
  if (!(std::abs(number) <= std::numeric_limits<float>::max()))
    return emitError() << "an initial value must lie in the range of f32, but "
                       << "is " << value;
  // init_attr_c2
  if (kind != InitKind::Constant && !(number > 0))
    return emitError() << "the "
                       << (kind == InitKind::Uniform ? "bound" : "deviation")
                       << " of initial values must be positive, but is "
                       << value;
  return success();
}

void tpa::exec::ExecDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/exec/ExecOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/exec/ExecAttrs.cpp.inc"
      >();
}
