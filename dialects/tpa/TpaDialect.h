//===- TpaDialect.h - The tpa dialect ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tpa dialect: factors of attention tensors and their contractions.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_TPA_TPADIALECT_H
#define TPA_DIALECTS_TPA_TPADIALECT_H

#include "dialects/tpa/Equation.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/tpa/TpaDialect.h.inc"
#include "dialects/tpa/TpaEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/tpa/TpaAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/tpa/TpaOps.h.inc"

#endif // TPA_DIALECTS_TPA_TPADIALECT_H
