// Package chart holds the Helm chart against the real helm and a real API server:
// what it renders, what it refuses, and what an API server with Pod Security
// 'restricted' makes of it.
//
// There is no node here. The controllers make pods, and admission decides on them;
// where helm waits for a pod, the test does what a kubelet would do, and says that it
// has ended. The suite with a node runs the program itself.
package chart
