// RUN: tpa-opt %s --tpa-autocast --split-input-file --verify-diagnostics

// expected-error@+1 {{cannot be cast to f16: to bf16 alone}}
exec.entry @e scalars [] maxima [] {
} {tpa.autocast = f16}

// -----

// expected-error@+1 {{is called by entries with and without tpa.autocast: each needs its own}}
func.func private @shared(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
exec.buffer param @w : tensor<4xf32>
exec.buffer output @e.y : tensor<4xf32>
exec.buffer output @f.y : tensor<4xf32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<4xf32>
  %y = func.call @shared(%w) : (tensor<4xf32>) -> tensor<4xf32>
  exec.store %y, @e.y : tensor<4xf32>
} {tpa.autocast = bf16}
exec.entry @f scalars [] maxima [] {
  %w = exec.load @w : tensor<4xf32>
  %y = func.call @shared(%w) : (tensor<4xf32>) -> tensor<4xf32>
  exec.store %y, @f.y : tensor<4xf32>
}
