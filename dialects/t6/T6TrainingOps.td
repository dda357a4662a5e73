//===- T6TrainingOps.td - Gradients and the optimiser ------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a training step has beyond the layers: gradients, where einsums do not
// say them, and the optimiser.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_T6_T6TRAININGOPS_TD
#define TPA_DIALECTS_T6_T6TRAININGOPS_TD

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

def T6_AddGradientOp : T6_InferredOp<"add_gradient"> {
  let summary = "add to the gradient of a parameter";
  let description = [{
    `result = gradient + x`. The old value of the gradient is dead afterwards: the
    addition happens in place, and a sum that yields x adds to it term by term.

    Constraints:
    - (C1) gradient and x have the same shape

    ```mlir
    %h = t6.add_gradient %g, %x : tensor<170x64xf32>, tensor<170x64xf32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[F32, F64]>:$gradient, T6_FloatTensor:$x);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$gradient `,` $x attr-dict `:` type($gradient) `,` type($x)";
}

def T6_EmbeddingGradientOp : T6_InferredOp<"embedding_gradient"> {
  let summary = "add rows to the gradient of an embedding table";
  let description = [{
    `result[tokens[b,n], c] = gradient[tokens[b,n], c] + x[b,n,c]` for all tokens
    in order, rows first, row 0 for a token of -1: the adjoint of `t6.embedding`.
    In place, as `t6.add_gradient`.

    Constraints:
    - (C1) gradient and tokens have rank 2, x rank 3; x has the sizes of tokens,
      then the last of gradient

    ```mlir
    %h = t6.embedding_gradient %g, %tokens, %x
        : tensor<256x64xf32>, tensor<1x?xi32>, tensor<1x?x64xf32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[F32]>:$gradient, T6_IdTensor:$tokens,
                       RankedTensorOf<[F32]>:$x);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = [{
    $gradient `,` $tokens `,` $x attr-dict `:` type($gradient) `,` type($tokens) `,` type($x)
  }];
}

def T6_CrossEntropyGradientOp : T6_InferredOp<"cross_entropy_gradient"> {
  let summary = "measure how the mean surprise changes with the logits";
  let description = [{
    `result[b,n,v] = scale[0] / count * (exp(logits[b,n,v] - log_sum_exp[b,n])
                     - (1 if v is targets[b,n] else 0))`,
    count the number of targets that are not -1, and zero where a target is: the
    adjoint of `t6.cross_entropy` at its loss.

    Constraints:
    - (C1) logits has rank 3, targets and log_sum_exp rank 2 and the first two
      sizes of logits

    ```mlir
    %d = t6.cross_entropy_gradient %scale, %logits, %targets, %lse
        : tensor<1x?x256xf32>, tensor<1x?xi32>, tensor<1x?xf32>
    ```
  }];
  let arguments = (ins T6_OneFloat:$scale, T6_FloatTensor:$logits,
                       T6_IdTensor:$targets, T6_FloatTensor:$log_sum_exp);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = [{
    $scale `,` $logits `,` $targets `,` $log_sum_exp attr-dict
    `:` type($logits) `,` type($targets) `,` type($log_sum_exp)
  }];
}

def T6_TargetWeightsOp : T6_InferredOp<"target_weights"> {
  let summary = "share the loss out among the targets";
  let description = [{
    `result[b,n] = 1 / count` where targets[b,n] is not -1, else zero; count is the
    number of targets that are not -1, or one if there are none. The sum of token
    losses weighed by it is their mean.

    Constraints:
    - (C1) targets has rank 2

    ```mlir
    %w = t6.target_weights %targets : tensor<1x?xi32>
    ```
  }];
  let arguments = (ins T6_IdTensor:$targets);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$targets attr-dict `:` type($targets)";
}

//===----------------------------------------------------------------------===//
// Optimiser
//===----------------------------------------------------------------------===//

def T6_GlobalNormOp : T6_Op<"global_norm", [Pure]> {
  let summary = "measure the length of all tensors together";
  let description = [{
    `result[0] = sqrt(sum of the squares of all elements of all tensors)`, added up
    in f32 from the sums of the first dimension's slices, in order. With `squared`,
    the elements are squares already, or sums of them.

    Constraints:
    - (C1) there is at least one tensor, each of rank 1 or more

    ```mlir
    %n = t6.global_norm %g, %h : tensor<64x256xf32>, tensor<64xf32>
    %m = t6.global_norm %a, %b {squared} : tensor<64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins Variadic<RankedTensorOf<[F32]>>:$tensors, UnitAttr:$squared);
  let results = (outs T6_OneFloat:$result);
  let assemblyFormat = "$tensors attr-dict `:` type($tensors)";
  let hasVerifier = 1;
}

def T6_ClipScaleOp : T6_Op<"clip_scale", [Pure]> {
  let summary = "scale gradients to at most a global norm";
  let description = [{
    `result[0] = scale[0] * min(1, max_norm[0] / (norm[0] + 1e-6))`, or scale where
    max_norm is zero: norm is that of the scaled gradient, as PyTorch's
    `clip_grad_norm_` takes it.

    ```mlir
    %s = t6.clip_scale %scale, %norm, %max_norm
    ```
  }];
  let arguments = (ins T6_OneFloat:$scale, T6_OneFloat:$norm, T6_OneFloat:$max_norm);
  let results = (outs T6_OneFloat:$result);
  let assemblyFormat = "$scale `,` $norm `,` $max_norm attr-dict";
}

def T6_AdamWOp : T6_InferredOp<"adamw", [
    /*adamw_c1*/AllTypesMatch<["param", "grad", "m", "v"]>]> {
  let summary = "step a parameter and its moments along a gradient";
  let description = [{
    With g = grad_scale[0] * grad and each number the one element of its tensor:
    `m' = beta1 m + (1 - beta1) g`, `v' = beta2 v + (1 - beta2) g^2`,
    `param' = param - lr (weight_decay param
              + m' / correction1 / (sqrt(v' / correction2) + eps))`
    (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", alg. 2);
    correction1 and correction2 are 1 - beta1^t and 1 - beta2^t at step t, counted
    from one.

    `grad_scale` is for what all gradients share: the clip to a global norm, the
    mean over accumulated steps. Parameter and moments are updated in place;
    `cleared` is zeros, of either sign, in the gradient's memory, for the next
    accumulation. The last three results are the sums of the squares of param', m'
    and v', one for each slice of the first dimension, for their global norms.

    Constraints:
    - (C1) param, grad, m and v have one type
    - (C2) whose rank is at least 1

    ```mlir
    %p2, %m2, %v2, %g2, %pp, %mm, %vv = t6.adamw %p, %g, %m, %v scale %s lr %lr
        betas %b1, %b2 eps %e decay %wd corrections %c1, %c2 : tensor<64x256xf32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[F32, F64]>:$param, RankedTensorOf<[F32, F64]>:$grad,
                       RankedTensorOf<[F32, F64]>:$m, RankedTensorOf<[F32, F64]>:$v,
                       T6_OneFloat:$grad_scale, T6_OneFloat:$lr,
                       T6_OneFloat:$beta1, T6_OneFloat:$beta2, T6_OneFloat:$eps,
                       T6_OneFloat:$weight_decay, T6_OneFloat:$correction1,
                       T6_OneFloat:$correction2);
  let results = (outs T6_FloatTensor:$new_param, T6_FloatTensor:$new_m, T6_FloatTensor:$new_v,
                      T6_FloatTensor:$cleared, T6_FloatTensor:$param_squares,
                      T6_FloatTensor:$m_squares, T6_FloatTensor:$v_squares);
  let assemblyFormat = [{
    $param `,` $grad `,` $m `,` $v `scale` $grad_scale `lr` $lr `betas` $beta1 `,` $beta2
    `eps` $eps `decay` $weight_decay `corrections` $correction1 `,` $correction2 attr-dict
    `:` type($param)
  }];
}

#endif // TPA_DIALECTS_T6_T6TRAININGOPS_TD
