# Its learners have two threads that wait for each other at barriers. On a machine with two cores, a
# second test in parallel makes it thirty times slower.
set_tests_properties(certify/test_host_state PROPERTIES PROCESSORS 2)
