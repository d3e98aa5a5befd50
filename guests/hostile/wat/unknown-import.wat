;; A component that needs an interface which no host here has.
(component
  (import "acme:thing/api@1.0.0" (instance $api
    (export "go" (func))))
  (alias export $api "go" (func $go))
  (core func $lowered (canon lower (func $go)))
  (core module $main
    (import "api" "go" (func $go))
    (func (export "run") (call $go)))
  (core instance $instance (instantiate $main
    (with "api" (instance (export "go" (func $lowered))))))
  (func $run (canon lift (core func $instance "run")))
  (export "run" (func $run)))
