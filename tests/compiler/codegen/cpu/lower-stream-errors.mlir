// RUN: tpa-opt %s --cpu-lower-stream --split-input-file --verify-diagnostics

func.func @tensor_constant() attributes {exec.kernel} {
  %q = exec.binding 0 : memref<5x8xf32>
  %k = exec.binding 1 : memref<48x8xf32>
  %y = exec.binding 2 : memref<1x5x8xf32>
  tpa.stream "nd,md->nd"(%q, %k) outs(%y) block 16 splits 1 {
  ^bb0(%qi: tensor<5x8xf32>, %kj: tensor<?x8xf32>):
    // expected-error@+1 {{'arith.constant' op cannot be lowered in the body of a stream: make its result an operand of the stream}}
    %one = arith.constant dense<1.0> : tensor<8xf32>
    %l = tpa.einsum "nd,md->nm"(%qi, %kj) : tensor<5x8xf32>, tensor<?x8xf32>
    %o = tpa.einsum "nm,d->nd"(%l, %one) : tensor<5x?xf32>, tensor<8xf32>
    tpa.yield %o : tensor<5x8xf32>
  } : (memref<5x8xf32>, memref<48x8xf32>) -> (memref<1x5x8xf32>)
  return
}

// -----

func.func @tensor_around() attributes {exec.kernel} {
  %q = exec.binding 0 : memref<5x8xf32>
  %k = exec.binding 1 : memref<48x8xf32>
  %y = exec.binding 2 : memref<1x5x8xf32>
  %one = arith.constant dense<1.0> : tensor<8xf32>
  tpa.stream "nd,md->nd"(%q, %k) outs(%y) block 16 splits 1 {
  ^bb0(%qi: tensor<5x8xf32>, %kj: tensor<?x8xf32>):
    %l = tpa.einsum "nd,md->nm"(%qi, %kj) : tensor<5x8xf32>, tensor<?x8xf32>
    // expected-error@+1 {{'tpa.einsum' op in a stream reads a tensor from around it: make it an operand of the stream}}
    %o = tpa.einsum "nm,d->nd"(%l, %one) : tensor<5x?xf32>, tensor<8xf32>
    tpa.yield %o : tensor<5x8xf32>
  } : (memref<5x8xf32>, memref<48x8xf32>) -> (memref<1x5x8xf32>)
  return
}

// -----

func.func @three_operands() attributes {exec.kernel} {
  %q = exec.binding 0 : memref<5x8xf32>
  %k = exec.binding 1 : memref<48x8xf32>
  %y = exec.binding 2 : memref<1x5x8xf32>
  tpa.stream "nd,md->nd"(%q, %k) outs(%y) block 16 splits 1 {
  ^bb0(%qi: tensor<5x8xf32>, %kj: tensor<?x8xf32>):
    // expected-error@+1 {{'tpa.einsum' op in a stream has more than two operands: run tpa-contract-pairwise first}}
    %o = tpa.einsum "nd,md,md->nd"(%qi, %kj, %kj) : tensor<5x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    tpa.yield %o : tensor<5x8xf32>
  } : (memref<5x8xf32>, memref<48x8xf32>) -> (memref<1x5x8xf32>)
  return
}

// -----

// expected-error@+1 {{is a kernel over tensors: run exec-bufferize-kernels first}}
func.func @tensors(%q: tensor<5x8xf32>, %k: tensor<48x8xf32>, %y: tensor<1x5x8xf32>) -> tensor<1x5x8xf32> attributes {exec.kernel} {
  %r = tpa.stream "nd,md->nd"(%q, %k) outs(%y) block 16 splits 1 {
  ^bb0(%qi: tensor<5x8xf32>, %kj: tensor<?x8xf32>):
    %l = tpa.einsum "nd,md->nm"(%qi, %kj) : tensor<5x8xf32>, tensor<?x8xf32>
    %o = tpa.einsum "nm,md->nd"(%l, %kj) : tensor<5x?xf32>, tensor<?x8xf32>
    tpa.yield %o : tensor<5x8xf32>
  } : (tensor<5x8xf32>, tensor<48x8xf32>) -> (tensor<1x5x8xf32>)
  return %r : tensor<1x5x8xf32>
}
