//===- ExecDialect.h - The exec dialect: what the runtime sees --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_EXEC_EXECDIALECT_H
#define TPA_DIALECTS_EXEC_EXECDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/exec/ExecDialect.h.inc"
#include "dialects/exec/ExecEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/exec/ExecAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/exec/ExecOps.h.inc"

namespace tpa::exec {

/// Unit attribute of a function that is a kernel.
inline constexpr llvm::StringLiteral kernelAttrName = "exec.kernel";
/// Of an index argument: the name of the entry's scalar that it is.
inline constexpr llvm::StringLiteral scalarAttrName = "exec.scalar";
/// Of a tensor argument or result: the name of the scalar per dimension.
inline constexpr llvm::StringLiteral dimsAttrName = "exec.dims";
/// Of a kernel's tensor argument: the scalar, counted, per dynamic dimension.
inline constexpr llvm::StringLiteral sizesAttrName = "exec.sizes";
/// Of a kernel: an affine map from its scalars (symbols) to the number of
/// workgroups along each distributed dimension.
inline constexpr llvm::StringLiteral gridAttrName = "exec.grid";
/// Unit attribute of a kernel that rounds the factors of its products to bf16.
inline constexpr llvm::StringLiteral roundsAttrName = "exec.rounds_to_bf16";
/// The nested module of plain kernels that generated ones are checked against.
inline constexpr llvm::StringLiteral referenceModuleName = "reference";

} // namespace tpa::exec

#endif // TPA_DIALECTS_EXEC_EXECDIALECT_H
