# In:  results/{study}/runs/{run}/trajectory.parquet of any run, results/data/*.  Out: tables of runs and studies


rule ntk_spectrum:
    input:
        stage_inputs("results/{study}/runs/{run}/ntk_spectrum.parquet"),
    output:
        table="results/{study}/runs/{run}/ntk_spectrum.parquet",
    params:
        command=stage_command("results/{study}/runs/{run}/ntk_spectrum.parquet"),
    log:
        "results/{study}/runs/{run}/ntk_spectrum.parquet.log",
    group: batch_of("results/{study}/runs/{run}/ntk_spectrum.parquet")
    priority: priority_of("results/{study}/runs/{run}/ntk_spectrum.parquet")
    resources:
        mem_mb=memory_of("results/{study}/runs/{run}/ntk_spectrum.parquet"),
        runtime=minutes_of("results/{study}/runs/{run}/ntk_spectrum.parquet"),
        gpu=gpus_of("results/{study}/runs/{run}/ntk_spectrum.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule hessian_spectrum:
    input:
        stage_inputs("results/{study}/runs/{run}/hessian_spectrum.parquet"),
    output:
        table="results/{study}/runs/{run}/hessian_spectrum.parquet",
    params:
        command=stage_command("results/{study}/runs/{run}/hessian_spectrum.parquet"),
    log:
        "results/{study}/runs/{run}/hessian_spectrum.parquet.log",
    group: batch_of("results/{study}/runs/{run}/hessian_spectrum.parquet")
    priority: priority_of("results/{study}/runs/{run}/hessian_spectrum.parquet")
    resources:
        mem_mb=memory_of("results/{study}/runs/{run}/hessian_spectrum.parquet"),
        runtime=minutes_of("results/{study}/runs/{run}/hessian_spectrum.parquet"),
        gpu=gpus_of("results/{study}/runs/{run}/hessian_spectrum.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule convergence_bound:
    input:
        stage_inputs("results/{study}/runs/{run}/convergence_bound.parquet"),
    output:
        table="results/{study}/runs/{run}/convergence_bound.parquet",
    params:
        command=stage_command("results/{study}/runs/{run}/convergence_bound.parquet"),
    log:
        "results/{study}/runs/{run}/convergence_bound.parquet.log",
    group: batch_of("results/{study}/runs/{run}/convergence_bound.parquet")
    priority: priority_of("results/{study}/runs/{run}/convergence_bound.parquet")
    resources:
        mem_mb=memory_of("results/{study}/runs/{run}/convergence_bound.parquet"),
        runtime=minutes_of("results/{study}/runs/{run}/convergence_bound.parquet"),
        gpu=gpus_of("results/{study}/runs/{run}/convergence_bound.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule joint_spectrum:
    input:
        stage_inputs("results/{study}/runs/{run}/joint_spectrum.parquet"),
    output:
        table="results/{study}/runs/{run}/joint_spectrum.parquet",
    params:
        command=stage_command("results/{study}/runs/{run}/joint_spectrum.parquet"),
    log:
        "results/{study}/runs/{run}/joint_spectrum.parquet.log",
    group: batch_of("results/{study}/runs/{run}/joint_spectrum.parquet")
    priority: priority_of("results/{study}/runs/{run}/joint_spectrum.parquet")
    resources:
        mem_mb=memory_of("results/{study}/runs/{run}/joint_spectrum.parquet"),
        runtime=minutes_of("results/{study}/runs/{run}/joint_spectrum.parquet"),
        gpu=gpus_of("results/{study}/runs/{run}/joint_spectrum.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule best_learning_rate:
    input:
        stage_inputs("results/{study}/runs/{run}/best_learning_rate.parquet"),
    output:
        table="results/{study}/runs/{run}/best_learning_rate.parquet",
    params:
        command=stage_command("results/{study}/runs/{run}/best_learning_rate.parquet"),
    log:
        "results/{study}/runs/{run}/best_learning_rate.parquet.log",
    group: batch_of("results/{study}/runs/{run}/best_learning_rate.parquet")
    priority: priority_of("results/{study}/runs/{run}/best_learning_rate.parquet")
    resources:
        mem_mb=memory_of("results/{study}/runs/{run}/best_learning_rate.parquet"),
        runtime=minutes_of("results/{study}/runs/{run}/best_learning_rate.parquet"),
        gpu=gpus_of("results/{study}/runs/{run}/best_learning_rate.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule table:
    input:
        stage_inputs("results/{study}/tables/{table}.parquet"),
    output:
        table="results/{study}/tables/{table}.parquet",
    params:
        command=stage_command("results/{study}/tables/{table}.parquet"),
    log:
        "results/{study}/tables/{table}.parquet.log",
    group: batch_of("results/{study}/tables/{table}.parquet")
    priority: priority_of("results/{study}/tables/{table}.parquet")
    resources:
        mem_mb=memory_of("results/{study}/tables/{table}.parquet"),
        runtime=minutes_of("results/{study}/tables/{table}.parquet"),
        gpu=gpus_of("results/{study}/tables/{table}.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN

