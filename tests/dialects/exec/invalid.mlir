// RUN: tpa-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{'exec.buffer' op constant needs an init}}
exec.buffer constant @buffer_c1_missing : tensor<2xf32>

// -----

// expected-error @below {{'exec.buffer' op only constants and parameters have an init}}
exec.buffer state @buffer_c1_surplus : tensor<2xf32> {init = #exec.init<constant, 0.0>}

// -----

// expected-error @below {{'exec.buffer' op init of a parameter is an exec.init, but is dense<0.000000e+00> : tensor<2xf32>}}
exec.buffer param @buffer_c1_param : tensor<2xf32> {init = dense<0.0> : tensor<2xf32>}

// -----

// expected-error @below {{'exec.buffer' op only inputs and outputs have dynamic dimensions, but is 'tensor<?xf32>'}}
exec.buffer state @buffer_c2_kind : tensor<?xf32> {dims = ["n"]}

// -----

// expected-error @below {{'exec.buffer' op dynamic dimensions must be named by dims}}
exec.buffer input @buffer_c2_unnamed : tensor<?xi32>

// -----

// expected-error @below {{'exec.buffer' op dims names 1 dimensions of 'tensor<1x?xi32>'}}
exec.buffer input @buffer_c2_count : tensor<1x?xi32> {dims = ["n"]}

// -----

// expected-error @below {{'exec.buffer' op dims must name dynamic dimensions only, and all: see dimension 0}}
exec.buffer input @buffer_c2_static : tensor<1x?xi32> {dims = ["b", "n"]}

// -----

// expected-error @below {{'exec.buffer' op dims must name dynamic dimensions only, and all: see dimension 1}}
exec.buffer output @buffer_c2_empty : tensor<1x?xf32> {dims = ["", ""]}

// -----

// expected-error @below {{'exec.buffer' op stored is for parameters, with as many elements as 'tensor<2x3xf32>'}}
exec.buffer param @buffer_c3_elements : tensor<2x3xf32> {stored = array<i64: 5>}

// -----

// expected-error @below {{'exec.buffer' op stored is for parameters, with as many elements as 'tensor<2x3xf32>'}}
exec.buffer param @buffer_c3_negative : tensor<2x3xf32> {stored = array<i64: -2, -3>}

// -----

// The product is 6 modulo 2^64.
// expected-error @below {{'exec.buffer' op stored is for parameters, with as many elements as 'tensor<2x3xf32>'}}
exec.buffer param @buffer_c3_overflow : tensor<2x3xf32> {stored = array<i64: 6, 7, 7905747460161236407>}

// -----

// expected-error @below {{'exec.buffer' op stored is for parameters, with as many elements as 'tensor<2x3xf32>'}}
exec.buffer state @buffer_c3_kind : tensor<2x3xf32> {stored = array<i64: 6>}

// -----

// expected-error @below {{'exec.buffer' op range is for inputs, the bounds [lo, hi) with lo < hi}}
exec.buffer output @buffer_c4_kind : tensor<2xi32> {range = array<i64: 0, 256>}

// -----

// expected-error @below {{'exec.buffer' op range is for inputs, the bounds [lo, hi) with lo < hi}}
exec.buffer input @buffer_c4_empty : tensor<2xi32> {range = array<i64: 256, 256>}

// -----

// expected-error @below {{'exec.buffer' op range is for inputs, the bounds [lo, hi) with lo < hi}}
exec.buffer input @buffer_c4_bounds : tensor<2xi32> {range = array<i64: 256>}

// -----

// expected-error @below {{'exec.buffer' op below names the scalar that ends a range, but there is no range}}
exec.buffer input @buffer_c5_range : tensor<2xi32> {below = "n"}

// -----

// expected-error @below {{'exec.buffer' op below names the scalar that ends a range, but there is no name}}
exec.buffer input @buffer_c5_name : tensor<2xi32> {below = "", range = array<i64: 0, 256>}

// -----

// expected-error @below {{'exec.entry' op 1 scalars, 2 maxima and 2 region arguments must agree in number}}
exec.entry @entry_c1_scalars scalars ["n"] maxima [1, 2] {
^bb0(%n: index, %m: index):
}

// -----

// expected-error @below {{'exec.entry' op 1 scalars, 0 maxima and 1 region arguments must agree in number}}
exec.entry @entry_c1_maxima scalars ["n"] maxima [] {
^bb0(%n: index):
}

// -----

// expected-error @below {{'exec.entry' op region arguments must be of type index, but one is 'i32'}}
exec.entry @entry_c1_type scalars ["n"] maxima [1] {
^bb0(%n: i32):
}

// -----

// expected-error @below {{'exec.entry' op maxima must be positive, but one is 0}}
exec.entry @entry_c1_positive scalars ["n"] maxima [0] {
^bb0(%n: index):
}

// -----

func.func @load_c1() {
  // expected-error @below {{'exec.load' op has 0 sizes for the 1 dynamic dimensions of 'tensor<?xf32>'}}
  %t = exec.load @b : tensor<?xf32>
  return
}

// -----

func.func @load_c2_first() {
  // expected-error @below {{'exec.load' op first must not be negative, but is -1}}
  %t = exec.load @b from -1 : tensor<4x2xf32>
  return
}

// -----

func.func @load_c2_sizes(%n: index) {
  // expected-error @below {{'exec.load' op is of some rows, which must have static sizes}}
  %t = exec.load @b[%n] from 4 : tensor<?x2xf32>
  return
}

// -----

func.func @store_c1(%t: tensor<4x2xf32>) {
  // expected-error @below {{'exec.store' op first must not be negative, but is -4}}
  exec.store %t, @b from -4 : tensor<4x2xf32>
  return
}

// -----

func.func @view_c1(%n: index) {
  // expected-error @below {{'exec.view' op has 1 sizes for the 0 dynamic dimensions of 'memref<2xf32>'}}
  %t = exec.view @b at 0[%n] : memref<2xf32>
  return
}

// -----

func.func @view_c2() {
  // expected-error @below {{'exec.view' op attribute 'offset' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  %t = exec.view @b at -4 : memref<2xf32>
  return
}

// -----

func.func @binding_c1() {
  // expected-error @below {{'exec.binding' op has 0 sizes for the 1 dynamic dimensions of 'memref<?xf32>'}}
  %t = exec.binding 0 : memref<?xf32>
  return
}

// -----

func.func @binding_c2() {
  // expected-error @below {{'exec.binding' op attribute 'index' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  %t = exec.binding -1 : memref<2xf32>
  return
}

// -----

func.func @dispatch_c1_tensor(%x: tensor<2xf32>) {
  // expected-error @below {{'exec.dispatch' op on tensors has one result per write, of its type}}
  exec.dispatch @k writes(%x : tensor<2xf32>)
  return
}

// -----

func.func @dispatch_c1_type(%x: tensor<2xf32>) {
  // expected-error @below {{'exec.dispatch' op on tensors has one result per write, of its type}}
  %y = exec.dispatch @k writes(%x : tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @dispatch_c1_memref(%x: memref<2xf32>) {
  // expected-error @below {{'exec.dispatch' op on memrefs has no results}}
  %y = exec.dispatch @k writes(%x : memref<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @dispatch_c2(%x: memref<2xf32>, %n: index) {
  // expected-error @below {{'exec.dispatch' op has 1 scalars, but its cost is of 0}}
  exec.dispatch @k scalars(%n) writes(%x : memref<2xf32>)
      {cost = #exec.cost<read = () -> (0), write = () -> (8), flops = () -> (0)>}
  return
}

// -----

func.func @dispatch_c3(%x: tensor<2xf32>, %y: memref<2xf32>) {
  // expected-error @below {{'exec.dispatch' op mixes tensors and memrefs}}
  exec.dispatch @k reads(%x : tensor<2xf32>) writes(%y : memref<2xf32>)
  return
}

// -----

// expected-error @below {{a cost must have symbols only and one result}}
func.func private @cost_attr_c1_dims() attributes {cost = #exec.cost<read = (d0) -> (d0), write = () -> (8), flops = () -> (0)>}

// -----

// expected-error @below {{a cost must have symbols only and one result}}
func.func private @cost_attr_c1_results() attributes {cost = #exec.cost<read = () -> (0), write = () -> (8, 4), flops = () -> (0)>}

// -----

// expected-error @below {{costs must be of the same scalars}}
func.func private @cost_attr_c2() attributes {cost = #exec.cost<read = ()[s0] -> (s0), write = ()[s0] -> (8), flops = () -> (0)>}

// -----

// expected-error @below {{an initial value must be an f64, but is 'f32'}}
func.func private @init_attr_c1_type() attributes {init = #exec.init<constant, 1.0 : f32>}

// -----

// expected-error @below {{an initial value must lie in the range of f32, but is -}}
func.func private @init_attr_c1_range() attributes {init = #exec.init<constant, -1.0e39>}

// -----

// expected-error @below {{an initial value must lie in the range of f32, but is 0x7FF8000000000000 : f64}}
func.func private @init_attr_c1_nan() attributes {init = #exec.init<normal, 0x7FF8000000000000 : f64>}

// -----

// expected-error @below {{the bound of initial values must be positive, but is 0.000000e+00 : f64}}
func.func private @init_attr_c2_bound() attributes {init = #exec.init<uniform, 0.0>}

// -----

// expected-error @below {{the deviation of initial values must be positive, but is -1.000000e+00 : f64}}
func.func private @init_attr_c2_deviation() attributes {init = #exec.init<normal, -1.0>}

// -----

// expected-error @below {{scales is for parameters of f32}}
exec.buffer param @buffer_c6 : tensor<4xbf16> {scales = "w"}

// -----

// expected-error @below {{recurrent is for states}}
exec.buffer output @buffer_c7 : tensor<4xf32> {recurrent}
