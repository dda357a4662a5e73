// RUN: tpa-opt %s --exec-form-dispatches --split-input-file --verify-diagnostics

// A size that no exec.dims names.
func.func private @dim(%x: tensor<?x8xf32>) -> index {
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{does not come from a scalar of the entry}}
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  return %n : index
}

// -----

// A name that no argument has.
func.func private @unknown_name(%x: tensor<?x8xf32> {exec.dims = ["n", ""]}, %m: index {exec.scalar = "m"}) -> index {
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{does not come from a scalar of the entry}}
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  return %n : index
}

// -----

func.func private @unknown_dim(%x: tensor<?x8xf32> {exec.dims = ["n", ""]}, %n: index {exec.scalar = "n"}) -> index {
  // expected-error@+1 {{of an unknown dimension does not come from a scalar}}
  %d = tensor.dim %x, %n : tensor<?x8xf32>
  return %d : index
}

// -----

// A kernel rebuilds its operands from pointers and scalars.
// expected-error@+1 {{size 0 of 'tensor<?x8xf32>' does not come from a scalar}}
func.func private @operand(%x: tensor<?x8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<8xf32>) {
  ^bb0(%out: f32):
    %c0 = arith.constant 0 : index
    %0 = tensor.extract %x[%c0, %c0] : tensor<?x8xf32>
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

// expected-error@+1 {{cannot pass 'vector<4xf32>' to a kernel}}
func.func private @vector(%v: vector<4xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<8xf32>) {
  ^bb0(%out: f32):
    %0 = vector.extract %v[0] : f32 from vector<4xf32>
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}
