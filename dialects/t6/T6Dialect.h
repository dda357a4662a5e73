//===- T6Dialect.h - The t6 dialect -----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The t6 dialect: the model graph around an attention function.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_T6_T6DIALECT_H
#define TPA_DIALECTS_T6_T6DIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/t6/T6Dialect.h.inc"
#include "dialects/t6/T6Enums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/t6/T6Attrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/t6/T6Ops.h.inc"

#endif // TPA_DIALECTS_T6_T6DIALECT_H
