//===- DifferentiableOpInterface.td - Reverse mode ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an operation says about its derivative.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_DIFFERENTIABLEOPINTERFACE_TD
#define TPA_COMPILER_AUTODIFF_DIFFERENTIABLEOPINTERFACE_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::tpa";
  let description = [{
    Operations that reverse mode goes through. An adjoint is built from
    operations that have an adjoint themselves or lower as any other, so it meets
    the same fusion as what it is the adjoint of.

    The values of the forward pass that an adjoint reads are what has to be saved
    for it or computed again: which of the two is no matter of the operation.
  }];
  let methods = [InterfaceMethod<[{
      Adds to each active operand its share of the derivative, from the
      cotangents of the results (`adjoint.cotangentOf`; null where nothing
      depends on a result). Fails with a diagnostic where it has none.
    }], "::mlir::LogicalResult", "buildAdjoint", (ins "::tpa::AdjointBuilder &":$adjoint)>];
}

#endif // TPA_COMPILER_AUTODIFF_DIFFERENTIABLEOPINTERFACE_TD
