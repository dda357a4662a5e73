// RUN: tpa-opt %s --exec-plan-buffers --split-input-file --verify-diagnostics

exec.buffer state @s : tensor<3xf32>
exec.buffer output @y : tensor<3xf32>
exec.entry @use_after_update scalars [] maxima [] {
  %s = exec.load @s : tensor<3xf32>
  %e = tensor.empty() : tensor<3xf32>
  // expected-error@+1 {{updates in place a value that is used again later}}
  %new = exec.dispatch @append writes(%s : tensor<3xf32>) -> tensor<3xf32>
  // expected-note@+1 {{the later use}}
  %y = exec.dispatch @old reads(%s : tensor<3xf32>) writes(%e : tensor<3xf32>) -> tensor<3xf32>
  exec.store %new, @s : tensor<3xf32>
  exec.store %y, @y : tensor<3xf32>
}

// -----

// Storing what was there before an update is a use, too.
exec.buffer state @s : tensor<3xf32>
exec.entry @store_after_update scalars [] maxima [] {
  %s = exec.load @s : tensor<3xf32>
  // expected-error@+1 {{updates in place a value that is used again later}}
  %new = exec.dispatch @append writes(%s : tensor<3xf32>) -> tensor<3xf32>
  // expected-note@+1 {{the later use}}
  exec.store %s, @s : tensor<3xf32>
}

// -----

// Two loads are one memory: the second would see the update.
exec.buffer state @s : tensor<3xf32>
exec.buffer output @y : tensor<3xf32>
exec.entry @other_load scalars [] maxima [] {
  %s = exec.load @s : tensor<3xf32>
  // expected-note@+1 {{the load of the old value}}
  %t = exec.load @s : tensor<3xf32>
  %e = tensor.empty() : tensor<3xf32>
  // expected-error@+1 {{writes to @s, whose old value is still needed}}
  %new = exec.dispatch @append writes(%s : tensor<3xf32>) -> tensor<3xf32>
  %y = exec.dispatch @old reads(%t : tensor<3xf32>) writes(%e : tensor<3xf32>) -> tensor<3xf32>
  exec.store %new, @s : tensor<3xf32>
  exec.store %y, @y : tensor<3xf32>
}

// -----

// A kernel does not expect what it reads to be what it writes.
exec.buffer state @s : tensor<3xf32>
exec.entry @other_load_in_update scalars [] maxima [] {
  %s = exec.load @s : tensor<3xf32>
  // expected-note@+1 {{the load of the old value}}
  %t = exec.load @s : tensor<3xf32>
  // expected-error@+1 {{writes to @s, whose old value is still needed}}
  %new = exec.dispatch @shift reads(%t : tensor<3xf32>) writes(%s : tensor<3xf32>) -> tensor<3xf32>
  exec.store %new, @s : tensor<3xf32>
}

// -----

// Until the store, a load asks for the old value.
exec.buffer state @s : tensor<3xf32>
exec.buffer output @y : tensor<3xf32>
exec.entry @load_before_store scalars [] maxima [] {
  %s = exec.load @s : tensor<3xf32>
  %e = tensor.empty() : tensor<3xf32>
  // expected-error@+1 {{writes to @s, whose old value is still needed}}
  %new = exec.dispatch @append writes(%s : tensor<3xf32>) -> tensor<3xf32>
  // expected-note@+1 {{the load of the old value}}
  %t = exec.load @s : tensor<3xf32>
  %y = exec.dispatch @old reads(%t : tensor<3xf32>) writes(%e : tensor<3xf32>) -> tensor<3xf32>
  exec.store %new, @s : tensor<3xf32>
  exec.store %y, @y : tensor<3xf32>
}

// -----

// New memory that is stored is the buffer's own.
exec.buffer state @s : tensor<3xf32>
exec.entry @replace scalars [] maxima [] {
  // expected-note@+1 {{the load of the old value}}
  %s = exec.load @s : tensor<3xf32>
  %e = tensor.empty() : tensor<3xf32>
  // expected-error@+1 {{writes to @s, whose old value is still needed}}
  %new = exec.dispatch @reverse reads(%s : tensor<3xf32>) writes(%e : tensor<3xf32>) -> tensor<3xf32>
  exec.store %new, @s : tensor<3xf32>
}

// -----

exec.buffer param @w : tensor<3xf32>
exec.entry @update_param scalars [] maxima [] {
  %w = exec.load @w : tensor<3xf32>
  // expected-error@+1 {{writes to @w, but param buffers never change}}
  %new = exec.dispatch @append writes(%w : tensor<3xf32>) -> tensor<3xf32>
}

// -----

exec.buffer input @x : tensor<3xf32>
exec.buffer output @y : tensor<3xf32>
exec.entry @copy scalars [] maxima [] {
  %x = exec.load @x : tensor<3xf32>
  // expected-error@+1 {{stores to @y a value that lives in @x}}
  exec.store %x, @y : tensor<3xf32>
}

// -----

exec.buffer output @y : tensor<3xf32>
exec.buffer output @z : tensor<3xf32>
exec.entry @two_buffers scalars [] maxima [] {
  %e = tensor.empty() : tensor<3xf32>
  %a = exec.dispatch @a writes(%e : tensor<3xf32>) -> tensor<3xf32>
  exec.store %a, @y : tensor<3xf32>
  // expected-error@+1 {{stores to @z a value that lives in @y}}
  exec.store %a, @z : tensor<3xf32>
}

// -----

exec.buffer output @y : tensor<3xf32>
exec.entry @not_computed scalars [] maxima [] {
  %e = tensor.empty() : tensor<3xf32>
  // expected-error@+1 {{stores a value that no dispatch computes}}
  exec.store %e, @y : tensor<3xf32>
}

// -----

exec.buffer output @y : tensor<3xf32>
exec.entry @no_dispatch scalars [] maxima [] {
  %e = tensor.empty() : tensor<3xf32>
  // expected-error@+1 {{value is computed by no dispatch}}
  %c = arith.constant dense<0.0> : tensor<3xf32>
  %a = exec.dispatch @a reads(%c : tensor<3xf32>) writes(%e : tensor<3xf32>) -> tensor<3xf32>
  exec.store %a, @y : tensor<3xf32>
}

// -----

func.func private @outside(tensor<3xf32>) -> tensor<3xf32>
exec.buffer input @x : tensor<3xf32>
exec.entry @call scalars [] maxima [] {
  %x = exec.load @x : tensor<3xf32>
  // expected-error@+1 {{calls a function without a body}}
  %y = func.call @outside(%x) : (tensor<3xf32>) -> tensor<3xf32>
}

// -----

exec.entry @computed_size scalars ["n"] maxima [10] {
^bb0(%n: index):
  %twice = arith.addi %n, %n : index
  // expected-error@+1 {{has a size that is no scalar of the entry}}
  %e = tensor.empty(%twice) : tensor<?xf32>
  %a = exec.dispatch @a scalars(%n) writes(%e : tensor<?xf32>) -> tensor<?xf32>
}

// -----

exec.entry @huge scalars ["n"] maxima [1000000000000] {
^bb0(%n: index):
  // expected-error@+1 {{has more bytes than 64 bits count}}
  %e = tensor.empty(%n, %n) : tensor<?x?xf32>
  %a = exec.dispatch @a scalars(%n) writes(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
}

// -----

exec.buffer state @s : tensor<8x4xf32>
exec.entry @overlapping_rows scalars [] maxima [] {
  %a = exec.load @s from 0 : tensor<2x4xf32>
  // expected-note@+1 {{the load of the old value}}
  %b = exec.load @s from 1 : tensor<2x4xf32>
  // expected-error@+1 {{writes to @s, whose old value is still needed}}
  %a2 = exec.dispatch @add writes(%a : tensor<2x4xf32>) -> tensor<2x4xf32>
  %b2 = exec.dispatch @add writes(%b : tensor<2x4xf32>) -> tensor<2x4xf32>
  exec.store %a2, @s from 0 : tensor<2x4xf32>
  exec.store %b2, @s from 1 : tensor<2x4xf32>
}
