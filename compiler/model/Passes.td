//===- Passes.td - Passes from model to entries ------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from a model definition to the tensor functions of its entries.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_PASSES_TD
#define TPA_COMPILER_MODEL_PASSES_TD

include "mlir/Pass/PassBase.td"

def InstantiateModel : Pass<"t6-instantiate-model", "mlir::ModuleOp"> {
  let summary = "give the attention function of a model its sizes";
  let description = [{
    Replaces named sizes by numbers: parameters get static types, shapes follow
    by inference, scales named after sizes are folded. The batch becomes static,
    the number of tokens stays dynamic. An attention function that the module
    does not define is taken from the library models/attention; one that cannot
    be an attention, because something else in it looks at more than one token,
    is refused at that operation. Idempotent.

    Example: tests/compiler/model/instantiate-model.mlir
  }];
  let options = [
    Option<"batch", "batch", "int64_t", "1", "Rows decoded together">,
    Option<"dtype", "dtype", "std::string", "\"f32\"",
           "Element type of weight matrices and cache: f32 or bf16">,
    Option<"train", "train", "bool", "false",
           "Keep the attention function as it is written for training, too">];
  let statistics = [Statistic<"numParams", "params", "Parameters given a static type">];
  let dependentDialects = ["::tpa::TpaDialect", "mlir::func::FuncDialect"];
}

def BuildEntries : Pass<"t6-build-entries", "mlir::ModuleOp"> {
  let summary = "derive prefill, decode, verify and loss from an instantiated model";
  let description = [{
    Erases `t6.model` and leaves one `exec.entry` per program, a block function
    per entry that is called once per layer, and the buffers they use. What the
    cache holds is not a feature of a model: it is every operand of
    `tpa.attention` that carries the key index m, once.

    `verify` is decode for a tree of tokens, as speculative decoding proposes
    them: it takes for each token its position and, as bits, its ancestors among
    the tokens of the run, and yields logits for each.

    With `weights=int8` the remark `quantize` says which parameters became 8-bit
    integers, and why others did not.

    Attention without a normaliser can keep the sum of what its tokens say
    instead of the tokens: of each score equation one tensor, a state of constant
    size, whose equations follow from the attention's. With `linear-state=auto`
    it does where a step moves fewer bytes so, a row being half as long as it can
    be; the remark `linear-state` states both forms. A row may begin at its
    position 0, go on behind its last token or run that once more.

    With `train` there are also `accumulate_gradients`, the loss of whole windows
    of max-length tokens over heads as the attention writes them, to be
    differentiated, and `apply_adamw`, which steps the parameters. With
    `compute=bf16` that loss, and the entry `loss`, ask for products of factors
    in bf16 (`tpa-autocast`); parameters are what the model has.

    Caches are pools of pages, and the entries that use them take a table `pages`
    of each row's: memory belongs to tokens that are there, whichever row they
    are of. The pool has pages for `cache-tokens`, and one that belongs to none.
    Where the longest row is no longer than a page, or `page-tokens` is 0, each
    row is one piece instead, and there is no table.

    Example: tests/compiler/model/build-entries.mlir
  }];
  let options = [
    Option<"maxLength", "max-length", "int64_t", "0",
           "Longest sequence that the cache holds; 0 is the model's context">,
    Option<"prefillChunk", "prefill-chunk", "int64_t", "128",
           "Most tokens of a row that one prefill run takes">,
    Option<"pageTokens", "page-tokens", "int64_t", "64",
           "Tokens of a page of the cache, a power of two from 16 on; 0 keeps each row "
           "in one piece, as does a row of at most a page">,
    Option<"cacheTokens", "cache-tokens", "int64_t", "0",
           "Tokens that the pages hold for all rows together, rounded up to whole "
           "pages; 0 is every row at its longest">,
    Option<"linearState", "linear-state", "std::string", "\"auto\"",
           "Whether attention without a normaliser keeps a state of constant size "
           "(on), a cache (off), or what moves fewer bytes (auto)">,
    Option<"verifyTokens", "verify-tokens", "int64_t", "0",
           "Tokens of a row that one verify run takes, at most 64; 0 is no such "
           "entry">,
    Option<"weights", "weights", "std::string", "\"\"",
           "int8: matrices that contractions read are 8-bit integers with a "
           "scale per output channel; empty: as the model has them">,
    ListOption<"entries", "entries", "std::string",
               "Entries to derive, of prefill, decode, verify, loss, "
               "accumulate_gradients and apply_adamw; empty is all that are asked "
               "for: verify for a number of tokens, the last two with train">,
    Option<"train", "train", "bool", "false",
           "Also derive the entries of a training step; loss then has no "
           "output of logits">,
    Option<"compute", "compute", "std::string", "\"f32\"",
           "With train, what products of losses and gradients multiply: f32 or "
           "bf16">,
    Option<"vocabularyBlock", "vocabulary-block", "int64_t", "8192",
           "Most tokens of the vocabulary whose logits a training step has at "
           "once">];
  let statistics = [Statistic<"numCaches", "caches", "Cache tensors per layer">];
  let dependentDialects = ["::tpa::TpaDialect", "::tpa::t6::T6Dialect",
                           "::tpa::exec::ExecDialect", "mlir::func::FuncDialect",
                           "mlir::arith::ArithDialect", "mlir::math::MathDialect",
                           "mlir::tensor::TensorDialect"];
}

#endif // TPA_COMPILER_MODEL_PASSES_TD
