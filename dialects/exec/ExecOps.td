//===- ExecOps.td - Operations of the exec dialect ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_EXEC_EXECOPS_TD
#define TPA_DIALECTS_EXEC_EXECOPS_TD

include "dialects/exec/ExecDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Exec_Op<string mnemonic, list<Trait> traits = []>
    : Op<Exec_Dialect, mnemonic, traits>;

def Exec_BufferKind : I32EnumAttr<"BufferKind", "what a buffer holds and who fills it", [
    I32EnumAttrCase<"Param", 0, "param">,
    I32EnumAttrCase<"State", 1, "state">,
    I32EnumAttrCase<"Constant", 2, "constant">,
    I32EnumAttrCase<"Input", 3, "input">,
    I32EnumAttrCase<"Output", 4, "output">,
    I32EnumAttrCase<"Arena", 5, "arena">]> {
  let cppNamespace = "::tpa::exec";
  let genSpecializedAttr = 0;
}
def Exec_BufferKindAttr : EnumAttr<Exec_Dialect, Exec_BufferKind, "kind"> {
  let assemblyFormat = "$value";
}

def Exec_InitKind : I32EnumAttr<"InitKind", "a distribution of initial values", [
    I32EnumAttrCase<"Constant", 0, "constant">,
    I32EnumAttrCase<"Uniform", 1, "uniform">,
    I32EnumAttrCase<"Normal", 2, "normal">]> {
  let cppNamespace = "::tpa::exec";
  let genSpecializedAttr = 0;
}

def Exec_InitAttr : AttrDef<Exec_Dialect, "Init"> {
  let mnemonic = "init";
  let summary = "The values that a parameter has before training";
  let description = [{
    `constant`: every element is `value`. `uniform`: drawn evenly from
    [-value, value). `normal`: with mean zero and the deviation `value`.

    Constraints:
    - (C1) value is an f64 and lies in the range of f32
    - (C2) a bound and a deviation are positive

    ```mlir
    [#exec.init<constant, 1.0>, #exec.init<uniform, 0.125>, #exec.init<normal, 0.02>]
    ```
  }];
  let parameters = (ins EnumParameter<Exec_InitKind>:$kind, "::mlir::FloatAttr":$value);
  let assemblyFormat = "`<` $kind `,` $value `>`";
  let genVerifyDecl = 1;
}

def Exec_TensorOrMemRef : AnyTypeOf<[AnyRankedTensor, AnyMemRef]>;

def Exec_BufferOp : Exec_Op<"buffer", [Symbol]> {
  let summary = "declare a named buffer of the program";
  let description = [{
    `param` comes from a checkpoint, `state` is zero at first and lives between
    runs, `constant` is filled at compile time from `init`, `input` and `output`
    belong to one entry, `arena` is the working memory of one entry. Dynamic
    dimensions of inputs and outputs are named after scalars by `dims` ("" for a
    static one).

    `init` of a parameter is what training starts from, drawn at run time.
    `stored` is the shape in the checkpoint where it differs, `tied_to` another
    name under which a checkpoint may have the parameter, `range` the half-open
    interval [lo, hi) of valid input elements. `below` names a scalar of the
    input's entry whose value in a run takes the place of hi. `scales` names a
    parameter of 8-bit integers: the runtime makes both of one checkpoint tensor,
    the integers of each stored row being its values over the row's scale.
    `recurrent` marks a state that is as large for any number of tokens.

    Constraints:
    - (C1) a constant has an init, a parameter none or an `exec.init`, nothing
      else has one
    - (C2) only inputs and outputs have dynamic dimensions, each named in dims
    - (C3) stored is for parameters and has as many elements as the type
    - (C4) range is for inputs and holds lo < hi
    - (C5) below is for buffers with a range, and not empty
    - (C6) scales is for f32 parameters
    - (C7) recurrent is for states

    ```mlir
    exec.buffer param @"transformer.wte.weight" : tensor<256x64xf32> {init = #exec.init<uniform, 0.125>}
    exec.buffer input @decode.tokens : tensor<1x?xi32> {dims = ["", "n"], range = array<i64: 0, 256>}
    exec.buffer input @prefill.last : tensor<1xi32> {below = "n", range = array<i64: 0, 128>}
    exec.buffer param @w.scale : tensor<256xf32> {scales = "w"}
    exec.buffer state @recent.0.0 : tensor<1x2x64xf32> {recurrent}
    ```
  }];
  let arguments = (ins Exec_BufferKindAttr:$kind, SymbolNameAttr:$sym_name,
                       TypeAttrOf<AnyRankedTensor>:$type,
                       OptionalAttr<AnyAttr>:$init,
                       OptionalAttr<DenseI64ArrayAttr>:$stored,
                       OptionalAttr<StrAttr>:$tied_to,
                       OptionalAttr<DenseI64ArrayAttr>:$range,
                       OptionalAttr<StrAttr>:$below,
                       OptionalAttr<StrAttr>:$scales,
                       OptionalAttr<StrArrayAttr>:$dims,
                       UnitAttr:$recurrent);
  let assemblyFormat = "$kind $sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def Exec_EntryOp : Exec_Op<"entry", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "define a program that the runtime can be asked to run";
  let description = [{
    The region's arguments are the scalars, named by `scalars` with their maxima
    in `maxima`.

    Constraints:
    - (C1) scalars, maxima and region arguments agree in number; arguments are
      of type index and maxima are positive

    ```mlir
    exec.entry @decode scalars ["n", "m"] maxima [1, 1024] {
    ^bb0(%n: index, %m: index):
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$scalars, DenseI64ArrayAttr:$maxima);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `scalars` $scalars `maxima` $maxima $body attr-dict";
  let hasVerifier = 1;
}

def Exec_LoadOp : Exec_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "read a buffer as a tensor";
  let description = [{
    The value of the buffer at this point. `sizes` gives the dynamic dimensions.
    `first` is the buffer's row, along its first dimension, that is the result's
    first; without it the result is the whole buffer.

    Constraints:
    - (C1) one size per dynamic dimension of the result
    - (C2) first is not negative; with it the result has static sizes

    ```mlir
    %t = exec.load @decode.tokens[%n] : tensor<1x?xi32>
    %u = exec.load @table from 128 : tensor<64x32xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$buffer, Variadic<Index>:$sizes,
                       OptionalAttr<I64Attr>:$first);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $buffer (`[` $sizes^ `]`)? (`from` $first^)? attr-dict `:` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::llvm::StringRef":$buffer,
                                 CArg<"::mlir::ValueRange", "{}">:$sizes), [{
    build($_builder, $_state, result, buffer, sizes, ::mlir::IntegerAttr());
  }]>];
  let hasVerifier = 1;
}

def Exec_StoreOp : Exec_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "make a tensor the new value of a buffer";
  let description = [{
    Values of states and outputs leave an entry through stores. A dispatch that
    computes the stored value writes into the buffer directly. With `first` the
    value is the buffer's from that row on, as in `exec.load`; other rows stay.

    Constraints:
    - (C1) first is not negative; with it the value has static sizes

    ```mlir
    exec.store %logits, @decode.logits : tensor<1x256xf32>
    exec.store %rows, @gradient from 128 : tensor<64x32xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$value, FlatSymbolRefAttr:$buffer,
                       OptionalAttr<I64Attr>:$first);
  let assemblyFormat = "$value `,` $buffer (`from` $first^)? attr-dict `:` type($value)";
  let builders = [OpBuilder<(ins "::mlir::Value":$value, "::llvm::StringRef":$buffer), [{
    build($_builder, $_state, value, buffer, ::mlir::IntegerAttr());
  }]>];
  let hasVerifier = 1;
}

def Exec_CostAttr : AttrDef<Exec_Dialect, "Cost"> {
  let mnemonic = "cost";
  let summary = "What a dispatch moves and computes";
  let description = [{
    Bytes read, bytes written and floating-point operations, each a polynomial
    of the dispatch's scalars: a map without dimensions and one result, the
    scalars its symbols.

    Constraints:
    - (C1) each map has no dimensions and one result
    - (C2) the maps have the same number of symbols

    ```mlir
    #exec.cost<read = ()[s0] -> (s0 * 256), write = ()[s0] -> (s0 * 4), flops = ()[s0] -> (s0 * 512)>
    ```
  }];
  let parameters = (ins "::mlir::AffineMap":$read, "::mlir::AffineMap":$write,
                        "::mlir::AffineMap":$flops);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Exec_DispatchOp : Exec_Op<"dispatch", [AttrSizedOperandSegments,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "run a kernel over its grid";
  let description = [{
    On tensors, result i is the new value of the operand `writes[i]`, which is
    updated in place (a `tensor.empty` is new memory). On memrefs there are no
    results. The kernel is a function of reads, writes and scalars, in this order.

    Constraints:
    - (C1) on tensors there is one result per write, of the write's type; on
      memrefs there are none
    - (C2) the maps of cost have one symbol per scalar
    - (C3) operands are all tensors or all memrefs

    ```mlir
    %y = exec.dispatch @linear scalars(%n)
        reads(%x, %w : tensor<1x?x64xf32>, tensor<64x64xf32>) writes(%e : tensor<1x?x64xf32>)
        {cost = #exec.cost<read = ()[s0] -> (s0 * 256), write = ()[s0] -> (s0 * 256), flops = ()[s0] -> (s0 * 8192)>}
        -> tensor<1x?x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Index>:$scalars,
                       Variadic<Exec_TensorOrMemRef>:$reads,
                       Variadic<Exec_TensorOrMemRef>:$writes,
                       OptionalAttr<StrAttr>:$label, OptionalAttr<Exec_CostAttr>:$cost);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel (`scalars` `(` $scalars^ `)`)?
    (`reads` `(` $reads^ `:` type($reads) `)`)?
    (`writes` `(` $writes^ `:` type($writes) `)`)?
    attr-dict (`->` type($results)^)?
  }];
  let hasVerifier = 1;
}

def Exec_ViewOp : Exec_Op<"view", [Pure]> {
  let summary = "refer to the memory of a buffer, or to a place in an arena";
  let description = [{
    `offset` counts bytes from the buffer's start, `sizes` gives the dynamic
    dimensions. The layout is row-major.

    Constraints:
    - (C1) one size per dynamic dimension of the result
    - (C2) offset is not negative

    ```mlir
    %x = exec.view @decode.arena at 4096[%n] : memref<1x?x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$buffer,
                       /*view_c2*/ConfinedAttr<I64Attr, [IntNonNegative]>:$offset,
                       Variadic<Index>:$sizes);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$buffer `at` $offset (`[` $sizes^ `]`)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Exec_BindingOp : Exec_Op<"binding", [Pure]> {
  let summary = "get an operand of the dispatch inside its kernel";
  let description = [{
    `index` counts reads, then writes; `sizes` gives the dynamic dimensions. Lowers
    to a load from the bindings of the kernel ABI (runtime/schema/KernelAbi.h).
    Different bindings that a kernel writes do not overlap with others.

    Constraints:
    - (C1) one size per dynamic dimension of the result
    - (C2) index is not negative

    ```mlir
    %x = exec.binding 0[%n] : memref<1x?x64xf32>
    ```
  }];
  let arguments = (ins /*binding_c2*/ConfinedAttr<I64Attr, [IntNonNegative]>:$index,
                       Variadic<Index>:$sizes);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$index (`[` $sizes^ `]`)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

#endif // TPA_DIALECTS_EXEC_EXECOPS_TD
