// RUN: tpa-opt %s --tpa-contract-pairwise --verify-diagnostics

func.func @thirteen(%x: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error@+1 {{has 13 operands; the exact search takes 12 at most: split the equation}}
  %y = tpa.einsum "a,a,a,a,a,a,a,a,a,a,a,a,a->a"(%x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x)
      : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
        tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
  return %y : tensor<3xf32>
}
